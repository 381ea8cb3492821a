"""A machine to install on: a real systemd as PID 1, in namespaces of its own, on a throw-away overlay of this one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.system.conftest import until

HERE = Path(__file__).parent
SOURCE = HERE.parents[1]
CGROUPS = "cgroup2"


def missing() -> str:
    """What this machine lacks to be one; nothing if all is there."""
    if os.geteuid() != 0:
        return "no root"
    programs = ("unshare", "nsenter", "systemctl", "systemd-analyze", "curl", "make")
    if lacking := [program for program in programs if shutil.which(program) is None]:
        return ", ".join(lacking)
    trial = ["unshare", "--mount", "--pid", "--fork", "mount", "--make-rprivate", "/"]
    may = subprocess.run(trial, capture_output=True)
    return may.stderr.decode() if may.returncode else ""


class Machine:
    def __init__(self) -> None:
        self._base = tempfile.mkdtemp(prefix="machine-")
        self._console = Path(self._base + ".console")
        command = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            "unshare",
            "--fork",
            "--pid",
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--kill-child",
        ]
        with self._console.open("w") as console:
            self._outside = subprocess.Popen(
                [*command, "bash", str(HERE / "boot.sh"), self._base, str(SOURCE)],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
            )  # fmt: skip
        children = Path(f"/proc/{self._outside.pid}/task/{self._outside.pid}/children")
        self.pid = int(until(lambda: children.read_text().split())[0])
        try:
            until(self._is_up)
        except BaseException:
            self.close()
            raise

    def _is_up(self) -> bool:
        assert self._outside.poll() is None, self.said()
        return self.run("systemctl", "is-active", "machine.target", code=None).strip() == "active"

    def said(self) -> str:
        """What PID 1 wrote on its console."""
        return self._console.read_text()

    def command(self, *command: str, online: bool = False) -> list[str]:
        """What runs a command in there; `online`: with the network of the machine outside."""
        return [
            "nsenter", f"--target={self.pid}", "--mount", "--uts", "--ipc", "--pid", "--cgroup",
            *([] if online else ["--net"]), "env", "--chdir=/", *command,
        ]  # fmt: skip

    def run(self, *command: str, code: int | None = 0, online: bool = False, stdin: str = "") -> str:
        """What it prints, errors too; `code`: the exit code it must have."""
        done = subprocess.run(
            self.command(*command, online=online),
            input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=170,
        )  # fmt: skip
        assert code in (None, done.returncode), f"{done.returncode}: {done.stdout}\n{self.said()}"
        return done.stdout

    def shell(self, script: str, *, code: int | None = 0, online: bool = False) -> str:
        return self.run("bash", "-euo", "pipefail", "-c", script, code=code, online=online)

    def write(self, path: str, text: str) -> None:
        self.run("bash", "-c", f"mkdir -p {Path(path).parent}; cat > {path}", stdin=text)

    def shows(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).strip()

    def log(self, unit: str) -> list[dict[str, Any]]:
        """What the unit's processes logged: a JSON document a line, as syncd writes them."""
        said = self.run("journalctl", "--output=cat", "--no-pager", "_SYSTEMD_UNIT=" + unit)
        return [json.loads(line) for line in said.splitlines()]

    def close(self) -> None:
        """PID 1 and with it everything in there ends, and the overlay is gone."""
        with suppress(ProcessLookupError):
            os.kill(self._outside.pid, signal.SIGKILL)
        self._outside.wait()
        self._console.unlink()
        _remove_control_groups(Path(self._base).name)
        Path(self._base).rmdir()


def _remove_control_groups(name: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["mount", "-t", CGROUPS, CGROUPS, directory], check=True)
        try:
            for mine in Path(directory).glob(f"machine-*-{name}"):
                for group in sorted((mine, *mine.rglob("*/")), key=lambda path: len(path.parts), reverse=True):
                    if group.is_dir():
                        until(lambda group=group: _is_removed(group))  # type: ignore[misc]
        finally:
            subprocess.run(["umount", directory], check=True)


def _is_removed(group: Path) -> bool:
    """A control group can be removed once the kernel is done with the dead in it."""
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
