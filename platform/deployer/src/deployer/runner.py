"""The only place that starts a process.

`run` waits for a program and returns what it printed, `run_unless` only until somebody wants
something else; `spawn` starts one that outlives us. Nothing
goes through a shell. A test may pass any callable of the same shape as `run` instead.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TAIL_LINES = 15  # of a failed program's output: enough for a compiler error, little enough to read

POLL_SECONDS = 0.05  # a program that is to be interrupted ends so much later
MISSING = 127
TIMED_OUT = 124
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ended: its arguments, exit code and output."""

    arguments: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines that the program printed, errors first."""
        text = self.stderr.strip() or self.stdout.strip()
        return tuple(text.splitlines()[-TAIL_LINES:])


def run(
    arguments: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float = 600.0,
) -> Completed:
    """Run a program to its end, without a shell and without standard input.

    `environment` is added to ours. A non-zero exit code is returned, not raised; a program that is
    missing or takes longer than `timeout_seconds` comes back with code 127 or 124, as a shell's
    `timeout` would say it.
    """
    words = tuple(str(argument) for argument in arguments)
    try:
        done = subprocess.run(  # noqa: S603  # arguments are a list and come from us
            words,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError as error:
        return Completed(words, MISSING, "", f"{words[0]}: {error.strerror}")
    except subprocess.TimeoutExpired:
        return Completed(words, TIMED_OUT, "", f"{words[0]}: no end after {timeout_seconds:g} s")
    return Completed(words, done.returncode, done.stdout, done.stderr)


def run_unless(
    interrupted: Callable[[], bool],
    arguments: Sequence[str | Path],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    timeout_seconds: float,
) -> Completed:
    """Run a program as `run` does, and end it with all its children once `interrupted` says yes.

    An interrupted program comes back with code 130, as a shell would say it of Ctrl-C. Output and
    errors are one stream.
    """
    words = tuple(str(argument) for argument in arguments)
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        try:
            process = subprocess.Popen(  # noqa: S603  # arguments are a list and come from us
                words,
                cwd=cwd,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return Completed(words, MISSING, "", f"{words[0]}: {error.strerror}")
        code = _watch(process, interrupted, deadline=time.monotonic() + timeout_seconds)
        output.seek(0)
        text = output.read()
    late = f"{words[0]}: no end after {timeout_seconds:g} s"
    return Completed(words, code, "", f"{text.rstrip()}\n{late}" if code == TIMED_OUT else text)


def _watch(
    process: subprocess.Popen[bytes], interrupted: Callable[[], bool], *, deadline: float
) -> int:
    """Wait for a program's end, and return its exit code or why it was ended."""
    try:
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(POLL_SECONDS)
            if interrupted():
                return INTERRUPTED
            if time.monotonic() > deadline:
                return TIMED_OUT
    finally:
        with suppress(ProcessLookupError):  # the children too, also those it left behind
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def spawn(
    arguments: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str],
    cwd: Path,
) -> int:
    """Start a program that outlives this process and return its process id.

    It gets a session of its own, so that a Ctrl-C here does not reach it, its output is appended to
    `log`, and `environment` is added to ours.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  # arguments are a list and come from us
            [str(argument) for argument in arguments],
            cwd=cwd,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # Never waited for: `reap` collects the dead ones. Popen would warn when it is thrown away.
    process.returncode = 0
    return process.pid


def reap(pid: int) -> None:
    """Collect a dead child of ours, so that it does not stay a zombie; ignore everybody else's."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
