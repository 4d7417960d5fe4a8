"""Processes that we started on this machine: find them, tell them from others, stop them.

Each carries the state folder in its environment (`DEPLOYER_STATE`) and a name of its own
(`DEPLOYER_PROCESS`), so that one started by a deployer which died before it could write down the
process id is found all the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from deployer import runner

MARK = "DEPLOYER_STATE"
NAME = "DEPLOYER_PROCESS"
# Variables that would make a child another program than it should be, or a slow one: without
# bytecode on disk an instance takes 2 s longer to start.
UNWANTED = dict.fromkeys(("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE"), "")


def start(
    arguments: Iterable[str | Path],
    *,
    name: str,
    state: Path,
    environment: dict[str, str],
    log: Path,
) -> tuple[int, float]:
    """Start a program that outlives us; return its process id and start time."""
    log.parent.mkdir(parents=True, exist_ok=True)
    pid = runner.spawn(
        list(arguments),
        log=log,
        environment={**UNWANTED, **environment, MARK: str(state), NAME: name},
        cwd=state,
    )
    try:
        return pid, psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return pid, 0.0  # gone already: `alive` will say so


def alive(pid: int, started: float) -> bool:
    """Whether the process still runs and is the one that was started then."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < 0.05  # create_time is good to a clock tick
        return same and _runs(process)
    except psutil.NoSuchProcess:
        return False


def running(pid: int, started: float) -> bool:
    """Whether the process is alive, and neither it nor a child of it was stopped (SIGSTOP).

    What is stopped keeps its ports open and answers nothing: no better than dead.
    """
    if not alive(pid, started):
        return False
    try:
        family = _family(psutil.Process(pid))
        return not any(process.status() == psutil.STATUS_STOPPED for process in family)
    except psutil.NoSuchProcess:
        return False


def ours(state: Path, *, prefix: str = "") -> Iterator[tuple[str, psutil.Process]]:
    """Find every process of this state folder whose name begins with `prefix`."""
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (psutil.Error, OSError):
            continue  # somebody else's, or gone
        name = environment.get(NAME, "")
        if (
            environment.get(MARK) == str(state)
            and name.startswith(prefix)
            and process.pid != os.getpid()
        ):
            yield name, process


def stop(processes: Iterable[psutil.Process], *, grace_seconds: float) -> None:
    """Ask processes to end, wait, and kill what is left after the grace.

    One that was stopped (SIGSTOP) would not hear it: it is woken, and so are its children. Killed
    at once it would take the requests along that it had in hand; woken it drains as any other.
    """
    remaining = list(processes)
    for process in remaining:
        _signal(process, kill=False)
        _wake(process)
    remaining = _wait(remaining, seconds=grace_seconds)
    for process in remaining:
        _signal(process, kill=True)
    _wait(remaining, seconds=5.0)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.NoSuchProcess:
        return


def _wake(process: psutil.Process) -> None:
    # Whether it was stopped is not asked: what was told to stop just now may not look so yet, and
    # who runs does not notice.
    for each in _family(process):
        with suppress(psutil.NoSuchProcess):
            each.resume()


def _family(process: psutil.Process) -> tuple[psutil.Process, ...]:
    try:
        return (process, *process.children(recursive=True))
    except psutil.NoSuchProcess:
        return ()


def _wait(processes: list[psutil.Process], *, seconds: float) -> list[psutil.Process]:
    deadline = time.monotonic() + seconds
    while processes and time.monotonic() < deadline:
        processes = [process for process in processes if _runs(process)]
        if processes:
            time.sleep(0.02)
    return processes


def _runs(process: psutil.Process) -> bool:
    try:
        # A zombie's other threads may still end, and hold its ports until they have.
        ended = process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
        if process.is_running() and not ended:
            return True
    except psutil.NoSuchProcess:
        return False
    runner.reap(process.pid)
    return False


def memory_mb(processes: Iterable[psutil.Process]) -> float:
    """Return the proportional set size of processes together, in MB (resident size on macOS)."""
    total = 0.0
    for process in processes:
        try:
            info = process.memory_full_info()
        except psutil.Error:
            continue
        total += getattr(info, "pss", 0) or info.rss
    return total / 1_000_000


def log_tail(log: Path, *, lines: int = 15) -> tuple[str, ...]:
    """Return the last lines of a log file."""
    if not log.exists():
        return ()
    return tuple(log.read_text(errors="replace").splitlines()[-lines:])
