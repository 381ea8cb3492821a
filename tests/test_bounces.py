"""Bounce reasons: one text of every shape that servers publish, what beats what, and the shared sample's score."""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from syncd.bounces import Reason, classify

# No SYNCD_ name: syncd itself refuses those it does not know, and the system tests start it.
SHARED = Path(os.environ.get("SHARED_DATA") or Path(__file__).parents[2] / "shared")
SAMPLE = SHARED / "data" / "smtp_diagnostics_sample.tsv"
TEXTS = Path(__file__).with_name("bounce_texts.tsv")  # shapes that servers publish, hosts made up; from no corpus
INVALID = {Reason.ADDRESS_UNKNOWN, Reason.DOMAIN_UNKNOWN, Reason.MAILBOX_DISABLED}

# How servers say that nobody is there, and what they add when they mean the sender, the mail, or no room.
NOBODY = (
    "550 5.1.1 User unknown",
    "550 No such user here",
    "550 5.1.1 <jd@acme.example>: Recipient address rejected",
    "550 5.7.1 Mailbox unavailable",
    "550 Requested action not taken: mailbox unavailable",
    "553 5.3.0 No such recipient",
    "550 5.1.10 RESOLVER.ADR.RecipientNotFound",
    "550 5.1.2 Host unknown",
    "550 5.1.1 The email account that you tried to reach does not exist",
    "550 5.1.1 Benutzer unbekannt",
    "550 5.1.1 Utilisateur inconnu",
    "550 用户不存在",
)
BLAME = (
    "your IP is blocked", "sender blocked", "blocked using zen.dnsbl.example", "your IP has a poor reputation",
    "Client host [203.0.113.9] blocked", "listed on a blacklist", "your domain is blacklisted", "no reverse DNS",
    "sender address rejected", "sender verify failed", "HELO rejected", "your email has been blocked",
    "message rejected as spam", "looks like spam", "message contains a virus", "content rejected", "phishing",
    "suspicious message", "bulk mail", "blocked by policy", "rejected by local policy", "policy violation",
    "message rejected due to security policies", "administrative prohibition", "mailbox is full", "over quota",
    "mailbox size limit exceeded", "out of storage space", "DMARC policy", "SPF check failed", "relay access denied",
    "message size exceeds limit", "too many connections", "rate limited", "greylisted, try again", "expéditeur refusé",
    "rejeté pour cause de spam", "courrier indésirable", "boîte pleine", "Absender gesperrt", "Postfach ist voll",
    "remitente rechazado", "buzón lleno", "mittente rifiutato", "casella piena", "remetente bloqueado",
    "сообщение отклонено как спам", "ящик переполнен", "垃圾邮件", "邮箱已满",
    "IP被列入黑名单", "迷惑メール", "容量オーバー",
)  # fmt: skip


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row['server']}: {row['text'][:40]}") for row in rows(TEXTS)])
def test_a_servers_words_have_a_reason_however_they_are_spaced(row: dict[str, str]) -> None:
    shouted = f"  {row['text'].upper()} ".replace(" ", " \r\n\t ")
    assert [row["reason"]] * 2 == [classify(row["text"]), classify(shouted)]


def test_every_reason_has_texts() -> None:
    assert set(Reason) == {row["reason"] for row in rows(TEXTS)}


@pytest.mark.parametrize(
    ("story", "text", "category", "return_code", "reason"),
    [
        ("the text beats the code", "550 5.1.1 your IP is blocked", "", "", Reason.BLOCKED),
        ("the text beats the category", "552 mailbox full", "BAD_MAILBOX", "550", Reason.MAILBOX_FULL),
        ("the code beats the category", "550 5.2.2", "BAD_MAILBOX", "550", Reason.MAILBOX_FULL),
        ("the category where the text says nothing", "", "BAD_MAILBOX", "550", Reason.ADDRESS_UNKNOWN),
        ("PowerMTA's own spelling", "", "quota-issues", "", Reason.MAILBOX_FULL),
        ("the category beats the reply code", "", "SPAM_RELATED", "552", Reason.CONTENT),
        ("the reply code last", "", "", "552", Reason.MAILBOX_FULL),
        ("550 alone says nothing", "", "", "550", Reason.OTHER),
        ("no reply code", "", "DEFAULT_SOFTBOUNCE", "-1", Reason.OTHER),
        ("a category nobody has seen", "", "SOMETHING_NEW", "", Reason.OTHER),
        ("Sarbacane's sample", "Read timed out", "DEFAULT_SOFTBOUNCE", "-1", Reason.NETWORK),
        (
            "Sarbacane's sample",
            "There are no DNS entries for the hostname tgipimail.com. I cannot determine where to send this message.",
            "RELAYING_ISSUES",
            "-1",
            Reason.DOMAIN_UNKNOWN,
        ),
        ("the reply code may stand apart", "Mailbox unavailable", "", "550", Reason.ADDRESS_UNKNOWN),
        ("and then says that it will pass", "Mailbox unavailable", "", "450", Reason.NETWORK),
        ("words in an address don't count", "550 5.2.1 <user.unknown@spam.example>", "", "", Reason.MAILBOX_DISABLED),
        (
            "words in a link don't count",
            "550 5.2.2 https://a.example/blocked#no-user",
            "",
            "",
            Reason.MAILBOX_FULL,
        ),
        (
            "who quotes is not heard before who is quoted",
            "** Address not found ** The response from the remote server was: 550 5.7.1 message is spam",
            "",
            "",
            Reason.CONTENT,
        ),
        (
            "refused for the sender's domain, whatever the words",
            "550 5.1.8 <news@acme.example>: Host or domain name not found",
            "",
            "",
            Reason.BLOCKED,
        ),
        (
            "refused before a recipient was named",
            "host mx.acme.example[203.0.113.9] said: 550 5.1.1 unknown user (in reply to MAIL FROM command)",
            "",
            "",
            Reason.BLOCKED,
        ),
    ],
)
def test_what_beats_what(story: str, text: str, category: str, return_code: str, reason: Reason) -> None:
    assert reason is classify(text, category, return_code), story


def test_who_blames_another_never_blames_the_address() -> None:
    shapes = ("{0}: {1}", "{0}; {1}", "{1}. {0}", "{0} ({1})")
    texts = [shape.format(nobody, blame) for shape, nobody, blame in product(shapes, NOBODY, BLAME)]
    assert not [text for text in texts if classify(text) in INVALID]


@given(st.text(), st.text(), st.text())
@example("@", "\0", "\0")
@example("5.1.1\ud800 550-", "", "550")
def test_any_text_has_a_reason(text: str, category: str, return_code: str) -> None:
    assert classify(text, category, return_code) in set(Reason)


KNOWN = [row["text"] for row in rows(TEXTS)]
SPACE = st.sampled_from([" ", "  ", "\t", "\r\n", "\r\n ", "\n\t"])


@given(st.sampled_from(KNOWN), st.data())
def test_neither_case_nor_accents_nor_lines_change_the_reason(text: str, data: st.DataObject) -> None:
    cased = "".join(data.draw(st.sampled_from([letter.lower(), letter.upper(), letter])) for letter in text)
    broken = "".join(data.draw(SPACE) if letter == " " else letter for letter in cased)
    assert [classify(text)] * 2 == [classify(broken), classify(unicodedata.normalize("NFD", broken))]


@given(st.sampled_from(KNOWN), st.data())
def test_a_reply_of_several_lines_says_what_it_says_in_one(text: str, data: st.DataObject) -> None:
    mark = re.match(r"[45]\d\d (?:[45]\.\d{1,3}\.\d{1,3} )?", text)
    assume(mark)
    begin = mark.group() if mark else ""
    words = text.removeprefix(begin).split(" ")
    begins = {0} | data.draw(st.sets(st.integers(0, len(words) - 1)))
    lines = {i: begin if i == max(begins) else begin.replace(" ", "-", 1) for i in begins}
    assert classify(text) is classify(" ".join(lines.get(i, "") + word for i, word in enumerate(words)))


@pytest.mark.parametrize(
    "unit",
    ["a", " ", "user ", "user user address ", "550 ", "5.1.1 ", "5.", "@", "a@", "a@b.", "<", "http", "http://a ", ".",
     "host [", "the response ", "the response was: ", "message size ", "not not ", "unknown or ", "your ip ", "é",
     "no such ", "550-5.1.1 ", "sender ", "connection from ", "用户", "邮箱已", "ﷺ", "i\u0307"],
)  # fmt: skip
def test_no_text_takes_for_ever(unit: str) -> None:
    """A search that goes back again and again would not end before the time-out of all tests."""
    assert classify(unit * (1_000_000 // len(unit))) in set(Reason)


@pytest.mark.skipif(not SAMPLE.exists(), reason="the shared sample is not here; SHARED_DATA names its directory")
def test_the_shared_sample_is_judged_well(capsys: pytest.CaptureFixture[str]) -> None:
    sample = rows(SAMPLE)
    matrix = Counter(
        (row["coarse_class_proposed"], classify(row["diagnostic"], return_code=row["reply_code"])) for row in sample
    )
    with capsys.disabled():
        print_matrix(matrix)
    invalid = {reason: n for (known, reason), n in matrix.items() if known == "address_invalid"}
    assert sum(n for reason, n in invalid.items() if reason in INVALID) >= 0.9 * sum(invalid.values())
    assert sum(n for (_, reason), n in matrix.items() if reason is Reason.OTHER) <= 0.1 * len(sample)
    for known in ("blocked", "content", "policy", "mailbox_full"):
        assert matrix[known, Reason.ADDRESS_UNKNOWN] == 0


def print_matrix(matrix: Counter[tuple[str, Reason]]) -> None:
    """Rows: what the corpus calls a text; columns: the reason found."""
    reasons = [reason for reason in Reason if any(found is reason for _, found in matrix)]
    print("\n" + " " * 20 + " ".join(f"{reason[:12]:>12}" for reason in reasons))
    for known in sorted({known for known, _ in matrix}):
        print(f"{known:20}" + " ".join(f"{matrix[known, reason] or '.':>12}" for reason in reasons))
