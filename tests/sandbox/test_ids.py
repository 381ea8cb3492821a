import pytest

from syncd.sandbox.ids import canonical, make_id, suffix


@pytest.mark.parametrize(
    ("short", "check"),
    [
        ("001A000010khO8J", "IAU"),
        ("a0RE000000IJmcN", "MAT"),
        ("a01M00000062mPg", "IAI"),
        ("001M000000qfPyS", "IAU"),
    ],
)
def test_the_checksum_is_salesforces(short: str, check: str) -> None:
    assert suffix(short) == check
    assert canonical(short) == canonical(short + check) == canonical(short + check.lower()) == short + check


@pytest.mark.parametrize(
    "text", ["", "003", "001A000010khO8JIAV", "001a000010khO8JIAU", "001A000010khO8J ", "001A000010khÖ8J", None, 7]
)
def test_what_is_no_id_has_no_canonical_form(text: object) -> None:
    assert canonical(text) is None


def test_ids_are_the_same_on_every_machine_and_sort_by_age() -> None:
    ids = [make_id("003", number) for number in (1, 2, 61, 62, 4_000)]
    assert ids[0] == "003Sb0000000001IAA"
    assert ids == sorted(ids)
    assert all(canonical(one) == one for one in ids)
