"""The README is true: what it shows is what comes out, and what it says to type works."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from syncd.cli import cli

README = Path(__file__).parents[2] / "README.md"
TEXT = README.read_text()
VARIABLE = re.compile(r"\d{4}-\d\d-\d\d(T[\d:.+]+)?|(?<=:)\d{4,5}\b")


def block(marker: str) -> str:
    """The code block behind an HTML comment."""
    found = re.search(rf"<!-- {marker} -->\n```\w*\n(.*?)```", TEXT, re.DOTALL)
    assert found
    return found.group(1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_the_demo_prints_what_the_readme_shows() -> None:
    done = subprocess.run([sys.executable, "-m", "syncd", "demo"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert VARIABLE.sub("…", block("demo")) == VARIABLE.sub("…", done.stdout)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing")
def test_what_the_readme_says_to_type_works(tmp_path: Path) -> None:
    script = block("run").replace("8080", str(receiving := free_port()))
    script = script.replace("localhost:8443", f"localhost:{(port := free_port())}")
    script = script.replace("syncd sandbox", f"syncd sandbox --port {port}")
    environ = {
        **os.environ,
        "SYNCD_RECEIVER__BIND": f"127.0.0.1:{receiving}",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    shell = subprocess.Popen(
        ["bash", "-ec", f"{script}\nkill $(jobs -p); wait"],
        cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        said, errors = shell.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        raise
    assert "ok     login: jwt as integration.user@syncd.example" in said, errors
    assert "WRONG" not in said
    assert "bounce_reason: empty → 550 5.1.1 user unknown" in said, errors
    assert "Nothing was written to Salesforce" in said
    assert "Run 2: 0 new events, 1 subject, 1 done; 4 calls." in said
    assert "lea.durand.1@example.com is invalid" in said
    assert "Run 3: 0 new events, 1 subject, no change;" in said.splitlines()[-1]


def test_every_command_stands_in_the_readme_and_has_a_sentence_of_help() -> None:
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert f"`syncd {name}`" in TEXT
        assert isinstance(command, click.Command)
        assert command.help
        assert command.help.splitlines()[0].endswith((".", ":"))
