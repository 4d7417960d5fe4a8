"""The long-running parts of a cluster: started detached, with a pid file and a log each.

A pid file holds the process's start time too, so that a pid which the machine has given to somebody
else since is never signalled. Parts stop in the reverse order of their start.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .commands import wait_for
from .failures import PartFailedError
from .report import timed

LOG_TAIL = 3000
GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Part:
    """A process that was started, as its pid file tells."""

    name: str
    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)  # a child of ours that has ended is not to linger
        return started(self.pid) == self.started


def started(pid: int) -> int | None:
    """Return when a process was started, in clock ticks since boot; None when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])


class Parts:
    """The processes under a state folder."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._pids = state / "pids"

    def start(
        self, name: str, *arguments: str | Path, environment: Mapping[str, str] | None = None
    ) -> Part:
        """Start a part in a session of its own, so that it outlives a terminal's Ctrl-C."""
        self._pids.mkdir(parents=True, exist_ok=True)
        log = self.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        words = [str(argument) for argument in arguments]
        pid = os.posix_spawnp(
            words[0],
            words,
            {**os.environ, **(environment or {})},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        # The kernel has made it already: its time of start is there at once.
        part = Part(name, pid, started(pid) or 0)
        order = 1 + max((int(path.name[:2]) for path in self._pids.iterdir()), default=0)
        record = {"pid": part.pid, "started": part.started}
        (self._pids / f"{order:02d}-{name}.json").write_text(json.dumps(record))
        return part

    def log(self, name: str) -> Path:
        """Return the file that a part writes to."""
        return self._state / "logs" / f"{name}.log"

    def all(self) -> list[Part]:
        """Return what was started, first to last."""
        if not self._pids.is_dir():
            return []
        return [self._read(path) for path in sorted(self._pids.iterdir())]

    def require(self, name: str) -> None:
        """Raise PartFailedError with the end of its log when a part does not run any more."""
        for part in self.all():
            if part.name == name and not part.alive:
                raise PartFailedError(f"{name} ended:\n{self.tail(name)}")

    def tail(self, name: str) -> str:
        """Return the end of a part's log."""
        log = self.log(name)
        return log.read_text(errors="replace")[-LOG_TAIL:] if log.exists() else ""

    def stop(self, *, only: str = "", grace_seconds: float = GRACE_SECONDS) -> None:
        """Stop what runs, last to first, and forget it."""
        for path in sorted(self._pids.iterdir(), reverse=True) if self._pids.is_dir() else ():
            part = self._read(path)
            if only in {"", part.name}:
                with timed(f"  {part.name}"):
                    stop(part, grace_seconds=grace_seconds)
                path.unlink()

    @staticmethod
    def _read(path: Path) -> Part:
        record = json.loads(path.read_text())
        return Part(path.stem.partition("-")[2], record["pid"], record["started"])


def stop(part: Part, *, grace_seconds: float = GRACE_SECONDS) -> None:
    """End a process: asked first, then not any more."""
    for word in (signal.SIGTERM, signal.SIGKILL):
        if not part.alive:
            return
        with suppress(ProcessLookupError):
            os.kill(part.pid, word)
        with suppress(PartFailedError):
            wait_for(lambda: not part.alive, f"the end of {part.name}", seconds=grace_seconds)
