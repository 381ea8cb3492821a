"""`syncd import`: files in any layout, once, with what cannot be read set aside by line."""

from __future__ import annotations

import json
import os
import pty
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.cli import progress
from syncd.offline import MAX_ITEM, items
from syncd.sandbox import Org
from syncd.store import Inbox
from tests.conftest import Syncd
from tests.factories import payload
from tests.operate.conftest import Commands

THREE: list[dict[str, Any]] = [
    payload("delivered", 0),
    payload("open", 1, subject="L'été, «enfin»"),
    payload("click", 2),
]
NAMES = ["email", "campaignId", "sendId", "subject", "date", "type", "whId", "url"]


def lines(payloads: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(p, ensure_ascii=False) + "\n" for p in payloads)


def table(payloads: list[dict[str, Any]], delimiter: str = ",", names: list[str] = NAMES, end: str = "\n") -> str:
    rows = [names, *([str(p.get(name, "")) for name in names] for p in payloads)]
    return "".join(delimiter.join(f'"{c}"' if delimiter in c else c for c in row) + end for row in rows)


LAYOUTS: dict[str, str | bytes] = {
    "lines": lines(THREE),
    "lines with blank ones and Windows' ends": lines(THREE).replace("\n", "\r\n\r\n"),
    "lines without a last end": lines(THREE).rstrip(),
    "an array": json.dumps(THREE),
    "an array laid out": json.dumps(THREE, indent=2),
    "an array a line": "[\n" + ",\n".join(json.dumps(p) for p in THREE) + "\n]\n",
    "objects laid out": "\n".join(json.dumps(p, indent=4) for p in THREE),
    "objects without anything between": "".join(json.dumps(p) for p in THREE),
    "an array that was cut off": json.dumps(THREE)[:-1],
    "a byte order mark": b"\xef\xbb\xbf" + lines(THREE).encode(),
    "UTF-16": json.dumps(THREE, ensure_ascii=False).encode("utf-16"),
    "Windows' code page": lines(THREE).encode("cp1252"),
    "CSV": table(THREE),
    "CSV with semicolons": table(THREE, ";"),
    "CSV with tabs": table(THREE, "\t"),
    "CSV of Excel": b"\xef\xbb\xbf" + table(THREE, ";", end="\r\n").encode(),
    "CSV in Windows' code page": table(THREE, ";").encode("cp1252"),
    "CSV in another case": table(THREE).replace("email,campaignId", "EMAIL,CampaignID"),
}


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str | bytes], str]:
    def make(content: str | bytes, name: str = "events.json") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o400)
        return str(path)

    return make


def keys(syncd: Syncd) -> set[str]:
    return {event["key"] for event in syncd.desk.events()}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_holds_the_same_events_as_the_webhook_brought(
    command: Commands, syncd: Syncd, file: Callable[..., str], layout: str
) -> None:
    path = file(LAYOUTS[layout])
    assert command("import", path) == f"{path}: 3 new events, 0 known already, 0 in quarantine\n"
    found = keys(syncd)
    assert {event["raw"]["subject"] for event in syncd.desk.events()} == {THREE[0]["subject"], THREE[1]["subject"]}
    syncd.receive(*THREE)
    assert keys(syncd) == found


def test_a_second_import_stores_nothing_twice(command: Commands, syncd: Syncd, file: Callable[..., str]) -> None:
    syncd.receive(THREE[0])
    path = file(lines([*THREE, THREE[2]]) + "no event\n")
    first = command.json("import", path, code=1)["files"][path]
    second = command.json("import", path, code=1)["files"][path]
    assert first == {"items": 5, "new": 2, "known": 2, "quarantined": 1}
    assert second == {"items": 5, "new": 0, "known": 4, "quarantined": 1}
    assert len(syncd.desk.events()) == 3
    assert len(syncd.desk.quarantine()) == 1


def test_what_is_imported_reaches_salesforce_as_what_was_received(
    command: Commands, syncd: Syncd, org: Org, contact: str, file: Callable[..., str]
) -> None:
    command("import", file(lines([payload("hard_bounce", whId=contact)])))
    assert command.json("sync")["changes"] == {"done": 1}
    assert org.get(contact)["EmailBouncedReason"] == "550 5.1.1 user unknown"


GOOD = json.dumps(THREE[0])
OTHER = json.dumps(THREE[1])
NO_TYPE = json.dumps({k: v for k, v in THREE[0].items() if k != "type"})


@pytest.mark.parametrize(
    ("content", "bad", "events"),
    [
        (f"{GOOD}\nnot json\n{OTHER}\n", [2], 2),
        (f"{GOOD}\nnot json\nnor this\n\n{OTHER}\n", [2, 3], 2),
        (f"not json\n{GOOD}\n", [1], 1),
        (f"{GOOD}\n{GOOD[:-1]}\n{OTHER}\n", [2], 2),
        (f"{GOOD}\n{GOOD[:30]}\n{OTHER}\n", [2], 2),
        (f"{GOOD}\n{OTHER[:-20]}", [2], 1),
        (f"{GOOD}\n{NO_TYPE}\n{OTHER}\n", [2], 2),
        (f'{GOOD}\n42\n"text"\nnull\n{OTHER}\n', [2, 3, 4], 2),
        (f'[{GOOD},{{"email":,"x":1}},{OTHER}]', [1], 2),
        (f'[\n{GOOD},\n{{"email" "x"}},\n{OTHER}\n]', [3], 2),
        (json.dumps([THREE[0], THREE[1]], indent=1).replace('"delivered"', "delivered"), [2], 1),
        ('{"a":' * 5000 + "\n" + GOOD, [1], 1),
        (table(THREE).replace("delivered", "", 1), [2], 2),
        (table([*THREE, *THREE]).replace(",open,", ",open,more,and,more,", 1), [3], 3),
        (table(THREE) + 'x,"' + "y" * 200_000 + '"\n', [5], 3),
        (b'{"email": "a@b.c", "type": "open", "date": "\xff\xfe"}\n' + GOOD.encode(), [1], 1),
    ],
    ids=range(16),
)
def test_what_cannot_be_read_is_set_aside_with_its_line_and_the_rest_goes_on(
    command: Commands, syncd: Syncd, file: Callable[..., str], content: str | bytes, bad: list[int], events: int
) -> None:
    path = file(content, "odd.txt")
    said = command.json("import", path, code=1)["files"][path]
    assert [kept["source"] for kept in syncd.desk.quarantine()] == [f"odd.txt:{line}" for line in bad]
    assert said["new"] == events


def test_a_line_without_end_is_cut_and_the_next_is_read(
    command: Commands, syncd: Syncd, file: Callable[..., str]
) -> None:
    path = file(f'{GOOD}\n{{"email": "{"x" * (3 * MAX_ITEM)}\n{OTHER}\n')
    command("import", path, code=1)
    assert len(syncd.desk.events()) == 2
    (kept,) = syncd.desk.quarantine()
    assert (kept["source"], kept["bytes"]) == ("events.json:2", 65536)
    assert "no end within" in kept["reason"]


@pytest.mark.parametrize("content", ["name,age\nx,1\n", "\x7fELF\0\0", "<xml/>"])
def test_a_file_of_something_else_is_refused(command: Commands, file: Callable[..., str], content: str) -> None:
    command("import", file(content), code=2)
    assert "neither JSON nor a CSV" in command.errors


def test_a_pipe_is_read_as_a_file_is(command: Commands, syncd: Syncd) -> None:
    end, start = os.pipe()
    with os.fdopen(start, "w") as pipe:
        pipe.write(lines(THREE))
    assert "3 new events, 0 known already, 0 in quarantine" in command("import", f"/dev/fd/{end}")
    os.close(end)


def test_a_name_that_is_no_text_is_told_and_kept_all_the_same(command: Commands, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xff.json")
    odd.write_text('{"no": "event"}')
    assert "\\udcff.json: 0 new events, 0 known already, 1 in quarantine" in command("import", str(odd), code=1)
    assert command.json("quarantine", "list")[0]["source"] == "\\udcff.json:1"


def test_an_empty_file_holds_nothing(command: Commands, file: Callable[..., str]) -> None:
    assert "0 new events" in command("import", file(" \n"))


def test_a_dry_run_tells_the_same_and_stores_nothing(command: Commands, syncd: Syncd, file: Callable[..., str]) -> None:
    syncd.receive(THREE[0])
    path = file(lines(THREE) + "no event\n")
    shown = command.json("import", "--dry-run", path, code=1)
    assert len(syncd.desk.events()) == 1
    assert syncd.desk.quarantine() == []
    assert command.json("import", path, code=1)["files"] == shown["files"]


def test_a_dry_run_lists_what_it_would_store(command: Commands, syncd: Syncd, file: Callable[..., str]) -> None:
    syncd.receive(THREE[0])
    many = [payload("open", day) for day in range(3, 33)]
    told = command("import", "--dry-run", file(lines([*THREE, *THREE, *many]))).splitlines()
    assert [line[:12] for line in told[:20]] == ["would store "] * 20
    assert told[20:] == ["… and 12 more events", f"{file('')}: 32 new events, 4 known already, 0 in quarantine",
                         "Nothing was stored (dry run)."]  # fmt: skip


def test_a_row_that_the_store_refuses_is_set_aside_alone(
    command: Commands, syncd: Syncd, file: Callable[..., str]
) -> None:
    syncd.db.execute(
        "CREATE TRIGGER full BEFORE INSERT ON events WHEN new.kind = 'open' BEGIN SELECT raise(ABORT, 'no'); END"
    )
    said = command.json("import", path := file(lines(THREE)), code=1)["files"][path]
    assert said == {"items": 3, "new": 2, "known": 0, "quarantined": 1}


def test_killed_and_started_again_it_holds_everything_once(
    command: Commands, syncd: Syncd, file: Callable[..., str]
) -> None:
    number = 6_000
    path = file(lines([payload("open", i / 1000, email=f"n{i}@example.fr") for i in range(number)]))
    arguments = [sys.executable, "-m", "syncd", "--config", str(command.config), "import", path]
    killed = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    while not syncd.db.execute("SELECT count(*) FROM events").fetchone()[0]:
        assert killed.poll() is None
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    stored = len(syncd.desk.events())
    assert 0 < stored < number
    again = command.json("import", path)["files"][path]
    assert (again["known"], again["new"]) == (stored, number - stored)
    assert len(keys(syncd)) == number


def test_a_terminal_shows_a_bar_and_the_answer_stays_alone_on_stdout(
    command: Commands, file: Callable[..., str]
) -> None:
    path = file(lines([payload("open", i) for i in range(300)]))
    master, terminal = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "syncd", "--config", str(command.config), "import", path],
        stdout=subprocess.PIPE, stderr=terminal, text=True, timeout=60,
    )  # fmt: skip
    os.close(terminal)
    shown = os.read(master, 65536).decode()
    os.close(master)
    assert "events.json" in shown
    assert "100%" in shown
    assert done.stdout == f"{path}: 300 new events, 0 known already, 0 in quarantine\n"


def test_elsewhere_it_tells_now_and_then_how_far_it_is(
    command: Commands, file: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "TOLD_EVERY", 0)
    command("import", file(lines(THREE)))
    assert command.errors == "events.json: 100 %\n"


def test_an_import_leaves_the_receiver_its_turn(
    command: Commands, syncd: Syncd, file: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    append = Inbox.append

    def counted(inbox: Inbox, events: Any, unread: Any = ()) -> int:
        sizes.append(len(events) + len(unread))
        return append(inbox, events, unread)

    monkeypatch.setattr(Inbox, "append", counted)
    command("import", file(lines([payload("open", i) for i in range(25)])))
    assert sizes == [10, 10, 5]


def read(content: bytes) -> list[tuple[int, bytes]]:
    return [(item.line, item.body) for item in items(BufferedReader(cast("Any", BytesIO(content)), 1 << 18))]


@given(st.lists(st.dictionaries(st.text(), st.text() | st.none() | st.lists(st.integers())), max_size=8), st.booleans())
def test_objects_come_out_as_they_went_in(objects: list[dict[str, Any]], is_array: bool) -> None:
    text = json.dumps(objects) if is_array else "\n".join(json.dumps(o) for o in objects)
    assert [json.loads(body) for _, body in read(text.encode())] == objects


def test_an_item_across_the_edges_of_what_is_read_at_once_is_whole() -> None:
    chance = random.Random(1)
    objects = [{"n": i, "text": 'é\\"}{' * chance.randrange(4000)} for i in range(300)]
    for text in (json.dumps(objects), "\n".join(json.dumps(o, ensure_ascii=False) for o in objects)):
        assert [json.loads(body) for _, body in read(text.encode())] == objects
