"""The flags' file, read when the app is made and looked at ten times a second from then on.

A look is one `stat`; only what has changed is read. Written in place, replaced by a rename, or swapped behind a
symbolic link as Kubernetes does with a ConfigMap, the file is another one by its inode, its size or its time. A file
that is away or broken changes nothing: what was read last stays in force, and metrics and the log say so.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from platform_kit.errors import FlagsError
from platform_kit.flags.definition import parse_flags, read_flags
from platform_kit.flags.flagset import FlagSet
from platform_kit.logs import logger

# A change is in force within 200 ms: a look, and the same again for a busy machine.
LOOK_SECONDS = 0.1
# A file system's clock ticks every few milliseconds: what was written within this may be written again unseen.
TICK_SECONDS = 0.1

Signature = tuple[int, int, int]

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """What is in force: the digest of the file that it came from, empty for the code's defaults, and since when.

    `error` says why what is in the file now is not.
    """

    digest: str = ""
    loaded_at: float = 0.0
    error: str | None = None


class FlagWatch:
    """Keeps a service's flags as its file says.

    With `awaited` that file is read instead, from when it is there on: a ConfigMap may be made after the
    pod that mounts it.
    """

    def __init__(self, flags: FlagSet, path: Path, *, awaited: Path | None = None) -> None:
        self.flags = flags
        self.path = path
        self.state = State()
        self._awaited = awaited
        self._seen: Signature | None = None
        self._digest = ""

    def run_until(self, stop: threading.Event) -> None:
        """Look every 100 ms until told to stop."""
        while not stop.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Take over what is in the file, if that is not what it was."""
        if self._awaited is not None and _stat(self._awaited) is not None:
            self.path, self._awaited = self._awaited, None
        signature = _signature(self.path)
        if signature is not None and signature == self._seen:
            return
        self._seen = signature
        try:
            content = read_flags(self.path)
        except FlagsError as error:
            self._seen, self._digest = None, ""
            self._refuse(error)
        else:
            self._take(content)

    def _take(self, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()[:12]
        if digest == self._digest:
            return
        self._digest = digest
        try:
            self.flags.take(parse_flags(content))
        except FlagsError as error:
            self._refuse(error)
            return
        self.state = State(digest, time.time())
        log.info("flags_loaded", file=str(self.path), digest=digest)

    def _refuse(self, error: FlagsError) -> None:
        if str(error) == self.state.error:
            return
        self.state = replace(self.state, error=str(error))
        log.error(
            "flags_refused",
            file=str(self.path),
            error=str(error),
            in_force=self.state.digest or "the code's defaults",
        )


def _signature(path: Path) -> Signature | None:
    """Return what tells the file from another; None where nothing does, or not yet."""
    found = _stat(path)
    if found is None or abs(time.time() - found.st_mtime) < TICK_SECONDS:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
