"""What a mail server meant: SMTP text → bounce reason. It explains and filters; hard or soft is Sarbacane's word alone.

Not a library's work: flufl.bounce finds addresses in DSN messages, Sisimai (whose taxonomy taught this one) is not in
Python, and bounceclassifier (2019) counts key words; nothing kept in Python classifies a diagnostic text.

Words come first, because codes are abused: 5.1.1 is sent for blocked senders (mautic 9222), 5.7.1 for unknown users.
Then the enhanced code, then words and codes that say little, the vendor's category, and the reply code. What blames the
sender is asked before what blames the address: a good customer called dead costs more than a dead one kept.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from itertools import groupby
from operator import itemgetter

from syncd.bounce_table import LOOSE_TEXTS, TEXTS, Reason

__all__ = ["Reason", "classify"]


def _by_code(codes: dict[Reason, str]) -> dict[str, Reason]:
    return {code: reason for reason, all_of_it in codes.items() for code in all_of_it.split()}


# Subject and detail, whatever the class: RFC 3463 and the IANA registry of 2026 (RFC 5248, 7293, 7372, 7505), and
# Microsoft's own from 7.57 (learn.microsoft.com, "Email non-delivery reports", 2026).
CODES = _by_code(
    {
        Reason.ADDRESS_UNKNOWN: "1.1 1.3 1.4",
        Reason.DOMAIN_UNKNOWN: "1.2 1.10 4.4",
        Reason.MAILBOX_DISABLED: "1.6 2.1 7.13 7.17 7.18",
        Reason.MAILBOX_FULL: "2.2",
        Reason.BLOCKED: "1.7 1.8 7.25 7.27 7.511 7.606 7.650 7.651 7.708",
        Reason.CONTENT: "6.0 6.1 6.2 6.3 6.4 6.5 6.6 6.7 6.8 6.9 7.512",
        Reason.POLICY: "7.2 7.3 7.4 7.10 7.30",
        Reason.SENDER_AUTH: "7.20 7.21 7.22 7.23 7.24 7.26 7.29 7.509 7.515",
        Reason.TOO_LARGE: "2.3 3.4",
        Reason.RATE_LIMITED: "5.3 7.28",
        Reason.NETWORK: "2.4 3.1 3.2 3.3 3.5 4.1 4.2 4.3 4.5 4.6 4.7",
        Reason.RELAYING: "7.8 7.57 7.64",
    }
)
# Those that servers give for anything: asked after the words that say little.
LOOSE_CODES = _by_code({Reason.POLICY: "7.0 7.1 7.7 7.9", Reason.NETWORK: "3.0 4.0 5.1 5.2 5.4 5.5"})

# RFC 5321, 4.2.3, and RFC 7504. 550, 553 and 554 mean anything.
REPLIES = _by_code(
    {
        Reason.ADDRESS_UNKNOWN: "551",
        Reason.DOMAIN_UNKNOWN: "521 556",
        Reason.MAILBOX_FULL: "552",
        Reason.NETWORK: "421 450 451 452 454 455 500 501 502 503 504",
        Reason.RELAYING: "530 535",
    }
)

# PowerMTA's bounce categories in upper case: a hypothesis. Seen: BAD_MAILBOX, DEFAULT_SOFTBOUNCE, RELAYING_ISSUES; what
# says nothing (OTHER, DEFAULT_SOFTBOUNCE) is left out.
CATEGORIES = _by_code(
    {
        Reason.ADDRESS_UNKNOWN: "BAD_MAILBOX",
        Reason.DOMAIN_UNKNOWN: "BAD_DOMAIN",
        Reason.MAILBOX_DISABLED: "INACTIVE_MAILBOX",
        Reason.MAILBOX_FULL: "QUOTA_ISSUES",
        Reason.BLOCKED: "INVALID_SENDER",
        Reason.CONTENT: "SPAM_RELATED CONTENT_RELATED VIRUS_RELATED",
        Reason.POLICY: "POLICY_RELATED",
        Reason.NETWORK: (
            "BAD_CONFIGURATION BAD_CONNECTION MESSAGE_EXPIRED NO_ANSWER_FROM_HOST PROTOCOL_ERRORS ROUTING_ERRORS"
        ),
        Reason.RELAYING: "RELAYING_ISSUES",
    }
)

LONGEST = 4000
"""Characters of a text that are read: a reply line has 512 (RFC 5321, 4.5.3.1.5), Gmail's longest notices some 2000."""

_ABOUT_THE_ADDRESS = frozenset({Reason.ADDRESS_UNKNOWN, Reason.DOMAIN_UNKNOWN, Reason.MAILBOX_DISABLED})


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


# What stands before the server's own words in a text that quotes them: Postfix, Gmail, Exchange, qmail, DragonFly.
_QUOTING = re.compile(
    r"\b(?:said|(?:response|error|reply)\b.{0,80}?\b(?:was|returned)|returned was|responded with(?: failure)?"
    r"|error message|server returned|did not like our rcpt to)\s*:?(?=\s*[\['\d:])"
)
# Refused before a recipient was named, or for the sender: nothing is said of the recipient. Postfix, Exim, qmail, Java.
_NOT_OF_THE_RECIPIENT = _any_of(
    r"in reply to (?:mail from|helo|ehlo|initial)|after (?:mail from|initial connection|helo|ehlo)",
    r"did not like our mail from|refused to talk to me|but (?:sender was|my name was|greeting)",
    r"smtpsenderfailedexception|sender (?:address )?(?:reject|verif)|verif\w+ sender|\b[45]\.1\.[78]\b",
)
_WRAPPING = _any_of(
    r"\bhost \S{1,255} ?\[[^\s\]]{1,45}\]|smtp error from remote mail(?: server|er)|in reply to [a-z ]{2,30} command",
    r"after (?:rcpt to|end of data|mail from|pipelined)\b|\[(?:rcpt_to|data)\]",
)
_LINK = re.compile(r"(?:https?|ftp)[^\s<>\"']{1,2000}")
_ADDRESS = re.compile(r"(?:[\w+=/?&'-]|\.(?!\.)){0,64}@\w[\w-]*(?:\.\w[\w-]*)*")
_NOT_A_WORD = re.compile(r"[^\w.'/#@]+|_+|\.(?!\w)|(?<!\w)\.|(?<!\w)'|'(?!\w)")
_CODE = re.compile(r"(?<![\w.])[245]\.(\d{1,2}\.\d{1,3})(?![\w]|\.\d)")
_REPLY = re.compile(r"\b[45]\d\d\b")
_CONTINUED = re.compile(r"\b[245]\d\d-(?:[245]\.\d{1,3}\.\d{1,3} )?")
_ACCENT = re.compile("[\u0300-\u036f]")
_PLAIN = str.maketrans("łø’‘´`", "lo" + "'" * 4)
_LINK_WORDS = {"groups.google.com": "groupposting", "spamhaus": "spamhaus", "spamcop": "spamcop", "denyip": "denyip"}


_Table = tuple[tuple[Reason, re.Pattern[str]], ...]


@cache  # when the first text is asked for: it takes some 40 ms, which no command should wait for in vain
def _tables() -> tuple[_Table, _Table]:
    return _compiled(TEXTS), _compiled(LOOSE_TEXTS)


def _compiled(table: tuple[tuple[Reason, str], ...]) -> _Table:
    """One expression for each run of a reason. All start at a word; gaps are bounded, so any text takes linear time."""
    gap = r"(?: \S{1,40}){0,5}? "
    runs = ((reason, "|".join(pattern for _, pattern in run)) for reason, run in groupby(table, key=itemgetter(0)))
    return tuple((reason, re.compile(_bare(rf"\b(?:{patterns})").replace(" ~ ", gap))) for reason, patterns in runs)


def classify(smtp: str, category: str = "", return_code: str = "") -> Reason:
    """Why a mail bounced, from what Sarbacane tells of it: the server's text, its own category, the SMTP reply code."""
    return _classify(" ".join(smtp.split())[:LONGEST], category[:40], return_code[:10])


@lru_cache(maxsize=1024)  # a campaign brings the same few texts again and again
def _classify(smtp: str, category: str, return_code: str) -> Reason:
    text = _unfolded(_bare(smtp.casefold()).casefold().translate(_PLAIN))[:LONGEST]
    own_words = _QUOTING.split(text)[-1]
    reason = _from_words(own_words, return_code) or _from_words(text, return_code)
    if (reason is None or reason in _ABOUT_THE_ADDRESS) and _NOT_OF_THE_RECIPIENT.search(text):
        return Reason.BLOCKED
    return reason or CATEGORIES.get(_name(category)) or _from_reply(own_words, return_code) or Reason.OTHER


def _from_words(text: str, return_code: str) -> Reason | None:
    words = _plain(text, return_code)
    codes = _CODE.findall(words)
    texts, loose_texts = _tables()
    return (
        _first(words, texts)
        or next((CODES[code] for code in codes if code in CODES), None)
        or _first(words, loose_texts)
        or next((LOOSE_CODES[code] for code in codes if code in LOOSE_CODES), None)
    )


def _first(words: str, table: _Table) -> Reason | None:
    return next((reason for reason, pattern in table if pattern.search(words)), None)


def _bare(text: str) -> str:
    """Without accents, so that nobody has to know whether a server sends them."""
    return unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFKD", text)))


def _unfolded(text: str) -> str:
    """One line of a reply of several, each of which begins with the code, mid-sentence (RFC 5321, 4.2.1)."""
    line = _CONTINUED.search(text)
    if line is None:
        return text
    begin, rest = text[: line.end()], text[line.end() :]
    return begin + rest.replace(line.group(), "").replace(line.group().replace("-", " ", 1), "")


def _plain(text: str, return_code: str) -> str:
    """Only the words: an address or a link may hold any of them (user-unknown@, /blocked)."""
    hints = " ".join(word for part, word in _LINK_WORDS.items() if part in text)
    words = _NOT_A_WORD.sub(" ", _ADDRESS.sub(" addr ", _LINK.sub(" ", _WRAPPING.sub(" ", text))))
    reply = "" if _REPLY.search(words) else return_code
    return " ".join(f"{reply} {words} {hints}".split())


def _from_reply(text: str, return_code: str) -> Reason | None:
    found = _REPLY.search(text)
    return REPLIES.get(found.group() if found else return_code)


def _name(category: str) -> str:
    return category.strip().upper().replace("-", "_").replace(" ", "_")
