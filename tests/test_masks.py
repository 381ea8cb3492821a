"""Addresses in logs and messages: enough to recognise, not to write to."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from syncd import logs
from syncd.masks import masked


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("jeanne.durand@example.fr", "j…d@example.fr"),
        ("a@example.fr", "…@example.fr"),
        ("<ab@example.fr>, abc@example.fr", "<a…@example.fr>, a…@example.fr"),
        ("o'brien+news@example.fr", "o…s@example.fr"),
        ("https://acme.example/?to=jeanne.durand%40example.fr", "https://acme.example/?to=j…d%40example.fr"),
        ("é@example.fr élodie@example.fr", "…@example.fr é…e@example.fr"),
        ("a meeting @ noon, 3 @home", "a meeting @ noon, 3 @home"),
    ],
)
def test_an_address_is_masked(said: str, left: str) -> None:
    assert masked(said) == left


def test_no_address_is_logged_whatever_holds_it(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        logs.configure(json=True)
        log = structlog.get_logger("syncd")
        error = ValueError("x@example.fr")
        log.info("jeanne@example.fr", error=error, ids=["y@example.fr"], rows={"of": ("z@example.fr",)}, number=1)
        logging.getLogger("syncd.part").warning("%s", error)
        try:
            raise error
        except ValueError:
            log.exception("failed")
    finally:
        structlog.reset_defaults()
        logging.basicConfig(force=True)
    said = capsys.readouterr().err
    first = json.loads(said.splitlines()[0])
    assert {name: first[name] for name in ("event", "error", "ids", "rows", "number")} == {
        "event": "j…e@example.fr",
        "error": "…@example.fr",
        "ids": ["…@example.fr"],
        "rows": {"of": ["…@example.fr"]},
        "number": 1,
    }
    assert not [name for name in ("jeanne@", "x@", "y@", "z@") if name in said]
