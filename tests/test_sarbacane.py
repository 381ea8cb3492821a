"""Sarbacane's deliveries, read: every generation of words, both dates, both misspellings, every body."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd import sarbacane
from syncd.errors import Unreadable
from syncd.model import Kind
from syncd.sarbacane import decode, details, read, reread
from tests.factories import NOW, payload

AT = 1470918318889  # 2016-08-11T12:25:18.889Z


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        *((kind.value, kind) for kind in Kind if kind is not Kind.UNKNOWN),
        ("SUCCESSFUL", Kind.DELIVERED),
        ("OPEN", Kind.OPEN),
        ("HIT", Kind.CLICK),
        ("SOFT_BOUNCE", Kind.SOFT_BOUNCE),
        ("HARD_BOUNCE", Kind.HARD_BOUNCE),
        ("UNSUBSCRIBE", Kind.UNSUBSCRIBE),
        ("COMPLAINT", Kind.COMPLAINT),
        ("hardbounced", Kind.HARD_BOUNCE),
        ("softbounced", Kind.SOFT_BOUNCE),
        ("Soft bounce", Kind.SOFT_BOUNCE),
        ("hard-bounce", Kind.HARD_BOUNCE),
        ("FORM_SUBMIT", Kind.UNKNOWN),
        ("CAPTCHA", Kind.UNKNOWN),
    ],
)
def test_every_generation_of_words_is_read(word: str, kind: Kind) -> None:
    said = read(payload("open") | {"type": word}, NOW)
    assert (said.kind, said.word) == (kind, word)


def test_kind_stands_for_type_in_early_versions() -> None:
    early = payload("click")
    early["kind"] = early.pop("type")
    assert replace(read(early, NOW), raw="") == replace(read(payload("click"), NOW), raw="")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2016-08-11 T 12:25:18.889Z", AT),
        ("2016-08-11T12:25:18.889Z", AT),
        (" 2016-08-11t12:25:18.889z ", AT),
        ("2016-08-11T14:25:18.889+02:00", AT),
        ("2016-08-11T12:25:18.889", AT),
        ("2016-08-11 12:25:18.889Z", AT),
        ("2016-08-11 T 12:25:18Z", AT - 889),
        ("2016-08-11", 1470873600000),
        (AT, AT),
        (str(AT), AT),
        (1470918318, AT - 889),
        (1470918318.889, AT),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_dates_are_read_in_every_form(text: object, at: int) -> None:
    assert read(payload("open") | {"date": text}, NOW).at == at


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([], "not a JSON object"),
        ("open", "not a JSON object"),
        ({}, "no email"),
        (payload("open") | {"email": "  "}, "no email"),
        (payload("open") | {"email": ["a@b.fr"]}, "no email"),
        (payload("open") | {"type": None}, "no type"),
        (payload("open") | {"type": True}, "no type"),
        (payload("open") | {"date": None}, "no date"),
        (payload("open") | {"date": ""}, "no date"),
        (payload("open") | {"date": True}, "no date"),
        (payload("open") | {"date": "yesterday"}, "a date that cannot be read"),
        (payload("open") | {"date": "2016-13-41 T 12:25:18.889Z"}, "a date that cannot be read"),
        (payload("open") | {"date": "9" * 400}, "a date that cannot be read"),
        (payload("open") | {"date": "1969-12-31T23:59:59Z"}, "a date out of range"),
        (payload("open") | {"date": 10**15}, "a date out of range"),
        (payload("UNHEARD_OF") | {"date": "soon"}, "a date that cannot be read"),
    ],
)
def test_what_is_no_event_says_why(said: object, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(said, NOW)


def test_a_date_more_than_an_hour_ahead_counts_as_its_receipt() -> None:
    clock_is_wrong = payload("open") | {"date": NOW + 3_600_001}
    assert (read(clock_is_wrong, NOW).at, read(clock_is_wrong, NOW).claimed_at) == (NOW, NOW + 3_600_001)
    a_little = payload("open") | {"date": NOW + 3_600_000}
    assert read(a_little, NOW).at == NOW + 3_600_000


def test_a_retry_is_the_same_event_whenever_it_comes() -> None:
    ahead = payload("open") | {"date": NOW + 3_600_001}
    assert read(ahead, NOW).key == read(ahead, NOW + 172_800_000).key


def test_both_spellings_of_the_glossary_are_read() -> None:
    bounce = payload("hard_bounce")
    bounce["smptDescription"] = bounce.pop("smtpDescription")
    assert read(bounce, NOW).smtp == "550 5.1.1 user unknown"
    opened = payload("open")
    opened["operationsSystem"] = opened.pop("operatingSystem")
    assert read(opened, NOW).client == "FIREFOX4 48.0, LINUX"


def test_an_address_is_stripped_composed_and_lower_case_and_a_whid_stays_as_sent() -> None:
    said = read(payload("open") | {"email": " JE\u0301RO\u0302ME@Example.FR ", "whId": " 003a "}, NOW)
    assert (said.address, said.whid) == ("jérôme@example.fr", "003a")


def test_an_address_of_marks_alone_takes_no_longer_than_another() -> None:
    began = time.process_time()
    said = read(payload("open") | {"email": "e" + "\u0301\u0316" * 50_000}, NOW)
    assert (len(said.address), time.process_time() - began < 2) == (100_001, True)


@pytest.mark.parametrize(("whid", "text"), [(None, ""), (True, ""), ([1], ""), (42, "42"), ({}, "")])
def test_a_whid_that_is_no_text_is_a_number_as_written_or_nothing(whid: object, text: str) -> None:
    assert read(payload("open") | {"whId": whid}, NOW).whid == text


@pytest.mark.parametrize(
    "other",
    [
        {"type": "click"},
        {"email": "other@example.fr"},
        {"whId": "other"},
        {"campaignId": "other"},
        {"sendId": "other"},
        {"date": AT},
        {"url": "https://acme.example"},
        {"smtpDescription": "other"},
    ],
)
def test_two_events_that_differ_are_two(other: dict[str, Any]) -> None:
    assert read(payload("open") | other, NOW).key != read(payload("open"), NOW).key


def test_words_of_two_generations_for_one_event_make_one_key() -> None:
    assert read(payload("open") | {"type": "OPEN"}, NOW).key == read(payload("open"), NOW).key


def test_a_word_learnt_later_keeps_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = read(payload("FORM_SUBMIT"), NOW)
    monkeypatch.setitem(sarbacane.KINDS, "form_submit", Kind.CLICK)
    monkeypatch.setattr(sarbacane, "LEARNT", frozenset({"form_submit"}))
    after = read(payload("FORM_SUBMIT"), NOW)
    assert (before.kind, after.kind) == (Kind.UNKNOWN, Kind.CLICK)
    assert before.key == after.key


def test_keys_sort_by_time_and_are_seventeen_bytes() -> None:
    keys = [read(payload("open", day), NOW).key for day in range(5)]
    assert keys == sorted(keys)
    assert {len(key) for key in keys} == {17}


EVENT = {"email": "a@b.fr", "type": "open", "date": "2018-01-17T11:21:59.314Z"}
JSON = json.dumps(EVENT)


@pytest.mark.parametrize(
    ("body", "items"),
    [
        (JSON.encode(), [EVENT]),
        (b"\xef\xbb\xbf" + JSON.encode(), [EVENT]),
        (JSON.encode("utf-16"), [EVENT]),
        (f"\n [{JSON}, {JSON}] ".encode(), [EVENT, EVENT]),
        (b"[1, null]", [1, None]),
        (quote(JSON).encode(), [EVENT]),
        (urlencode(EVENT).encode(), [EVENT]),
        (urlencode({"data": JSON}).encode(), [EVENT]),
        (urlencode({"a": "{", "data": f"[{JSON}]"}).encode(), [EVENT]),
        ('{"email": "jérôme@b.fr"}'.encode("cp1252"), [{"email": "jérôme@b.fr"}]),
        (b'{"email": "\x81"}', [{"email": "\x81"}]),
        (b'{"a": NaN, "b": 1e999, "c": 1.5}', [{"a": None, "b": None, "c": 1.5}]),
    ],
)
def test_a_body_is_read_in_every_shape(body: bytes, items: list[object]) -> None:
    assert decode(body) == items


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"hello", "neither JSON nor a URL-encoded form"),
        (b"\x00\xff\xfe", "neither JSON nor a URL-encoded form"),
        (b"[]", "an empty array"),
        (b"42", "neither an object nor an array"),
        (b"[" * 100_000, "neither JSON nor a URL-encoded form"),
    ],
)
def test_a_body_that_is_none_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        decode(body)


def test_an_event_nested_too_deeply_to_be_kept_is_refused_as_unreadable() -> None:
    deep: object = "x"
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Unreadable, match="nested too deeply"):
        read(payload("open") | {"extra": deep}, NOW)


@pytest.mark.parametrize("subject", ["Nos nouveautés", "half a \ud83d smile", "nul \0 inside"])
def test_what_is_stored_reads_back_the_same(subject: str) -> None:
    said = read(payload("open") | {"subject": subject}, NOW)
    said.raw.encode()
    said.subject.encode()
    assert reread(said.raw, NOW) == said


@given(st.binary(max_size=200))
def test_no_body_raises_anything_but_unreadable(body: bytes) -> None:
    try:
        for item in decode(body):
            read(item, NOW)
    except Unreadable:
        pass


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
fields = ["email", "type", "kind", "date", "whId", "sendId", "campaignId", "url", "smtpDescription", "subject"]


@given(st.dictionaries(st.sampled_from(fields) | st.text(max_size=5), json_values))
def test_no_values_of_known_fields_raise_anything_but_unreadable(said: dict[str, Any]) -> None:
    try:
        got = read(said, NOW)
    except Unreadable:
        return
    assert reread(got.raw, NOW) == got


@given(st.dictionaries(st.sampled_from(fields), st.text(min_size=1, max_size=8)))
def test_an_event_survives_its_way_through_json(extra: dict[str, str]) -> None:
    said = payload("open") | extra | {"date": "2018-01-17T11:21:59.314Z", "email": "x" + extra.get("email", "")}
    said["type"] = "open"
    (item,) = decode(json.dumps(said).encode())
    assert read(item, NOW).key == read(said, NOW).key


@pytest.mark.parametrize("kind", ["click", "soft_bounce", "delivered"])
def test_the_details_of_a_stored_payload_are_those_that_reading_all_of_it_gives(kind: str) -> None:
    event = read(
        payload(kind, url="https://example.fr/a", smptDescription="452 full", category="QUOTA", returnCode=452), NOW
    )
    assert details(event.raw) == (event.url, event.smtp, event.category, event.return_code)


@given(st.text("%0aAfFcC3é€+&= \n").filter(lambda text: "=" in text))
def test_a_form_is_read_as_the_standard_library_reads_it(text: str) -> None:
    assert decode(text.encode()) == [dict(parse_qsl(text.strip(), keep_blank_values=True))]
