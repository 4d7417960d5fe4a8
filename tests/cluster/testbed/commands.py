"""Commands that end, and waiting for what does not come at once."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from .failures import PartFailedError

PERIOD_SECONDS = 0.1


def run(
    *arguments: str | Path,
    environment: Mapping[str, str] | None = None,
    stdin: str | None = None,
    folder: Path | None = None,
    seconds: float = 600,
) -> str:
    """Run a command and return what it printed; raise PartFailedError with its output when it fails."""
    words = [str(argument) for argument in arguments]
    try:
        done = subprocess.run(
            words,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as missing:
        raise PartFailedError(f"{words[0]} is not installed") from missing
    except subprocess.TimeoutExpired as slow:
        raise PartFailedError(f"{' '.join(words)} did not end within {seconds:g} s") from slow
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()
        raise PartFailedError(f"{' '.join(words)} ended with {done.returncode}:\n{said[-4000:]}")
    return done.stdout


def wait_for(
    claim: Callable[[], object], what: str, *, seconds: float, while_: Callable[[], object] = bool
) -> None:
    """Return when a claim holds; raise PartFailedError when it does not in so many seconds.

    A claim that raises PartFailedError does not hold yet. `while_` may end the wait by raising.
    """
    deadline = time.monotonic() + seconds
    last = ""
    while True:
        try:
            if claim():
                return
        except PartFailedError as failure:
            last = f": {failure}"
        while_()
        if time.monotonic() > deadline:
            raise PartFailedError(f"{what}: not within {seconds:g} s{last}")
        time.sleep(PERIOD_SECONDS)
