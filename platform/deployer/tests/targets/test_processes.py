"""Processes of this machine: ours are found, others' are left alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from polling import eventually

from deployer import runner
from deployer.targets.local import processes

pytestmark = pytest.mark.integration

SLEEP = ("sleep", "600")
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)  # until it is killed
"""

POLITE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), sys.exit()))
print("ready", flush=True)
time.sleep(600)  # until it is killed
"""

Start = Callable[..., psutil.Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program of a state folder of the test; it is gone afterwards."""
    started = []

    def start_one(
        *arguments: str, name: str = "product-blue-1", state: Path = tmp_path
    ) -> psutil.Process:
        pid, _ = processes.start(
            arguments or SLEEP, name=name, state=state, environment={}, log=tmp_path / "logs/log"
        )
        started.append(psutil.Process(pid))
        return started[-1]

    yield start_one
    for process in started:
        if process.is_running():
            process.kill()
        runner.reap(process.pid)


def found(state: Path, prefix: str = "") -> dict[str, int]:
    return {name: process.pid for name, process in processes.ours(state, prefix=prefix)}


def test_a_started_process_is_found_by_its_folder_and_name(start: Start, tmp_path: Path):
    """Without any record of it."""
    blue, green = start(), start(name="product-green-1")

    assert found(tmp_path) == {"product-blue-1": blue.pid, "product-green-1": green.pid}
    assert found(tmp_path, "product-green-") == {"product-green-1": green.pid}


def test_another_folders_process_is_not_ours(start: Start, tmp_path: Path):
    """Two checkouts on one machine never stop each other's."""
    (tmp_path / "other").mkdir()
    start(state=tmp_path / "other")

    assert found(tmp_path) == {}


def test_a_program_of_ours_that_asks_is_not_itself_a_process_of_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """A deployer started from within an instance must not stop itself."""
    this = psutil.Process()
    marks = {processes.MARK: str(tmp_path), processes.NAME: "product-blue-1"}
    monkeypatch.setattr(psutil.Process, "environ", lambda _process: marks)
    monkeypatch.setattr(psutil, "process_iter", lambda: iter((this,)))

    assert found(tmp_path) == {}


def test_a_process_id_used_again_is_not_the_process_that_was(start: Start):
    """The start time tells them apart, to a clock tick."""
    process = start()
    began = process.create_time()

    assert processes.alive(process.pid, began)
    assert not processes.alive(process.pid, began - 0.1)
    assert not processes.alive(process.pid, began + 3600)


def test_a_process_that_ended_is_not_alive(start: Start):
    """Neither as our own dead child nor when nothing is left of it."""
    process = start(sys.executable, "-c", "")
    began = process.create_time()

    assert eventually(lambda: not processes.alive(process.pid, began))
    assert eventually(lambda: not psutil.pid_exists(process.pid))
    assert not processes.alive(process.pid, began)


def test_a_process_that_is_gone_at_once_is_never_alive(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Its start time was not to be had any more."""
    beyond = 2**22 + 1  # above the highest process id that Linux gives
    monkeypatch.setattr(runner, "spawn", lambda *_, **__: beyond)
    pid, began = processes.start(
        SLEEP, name="product-blue-1", state=tmp_path, environment={}, log=tmp_path / "log"
    )

    assert (pid, began) == (beyond, 0.0)
    assert not processes.alive(pid, began)


def test_what_would_make_it_another_program_is_cleared(
    start: Start, monkeypatch: pytest.MonkeyPatch
):
    """A release reads its own packages, whatever the deployer was called with."""
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("KEPT", "yes")
    process = start()
    # The kernel shows an empty environment for the moment that it takes to start a program.
    assert eventually(lambda: "KEPT" in process.environ())
    environment = process.environ()

    assert {name: environment[name] for name in processes.UNWANTED} == processes.UNWANTED
    assert environment["PYTHONPATH"] == ""
    assert environment["KEPT"] == "yes"


def test_stopping_ends_a_process_and_all_trace_of_it(start: Start, tmp_path: Path):
    """No zombie stays, and stopping what has ended is no error."""
    process = start()
    processes.stop([process], grace_seconds=5)
    processes.stop([process], grace_seconds=5)

    assert not psutil.pid_exists(process.pid)
    assert found(tmp_path) == {}


def test_a_stopped_process_is_alive_but_does_not_run(start: Start):
    """Until it is woken; one that is gone does neither."""
    process = start()
    began = process.create_time()
    process.suspend()
    assert eventually(lambda: not processes.running(process.pid, began))
    alive = processes.alive(process.pid, began)
    process.resume()
    assert eventually(lambda: processes.running(process.pid, began))
    processes.stop([process], grace_seconds=5)

    assert alive
    assert not processes.running(process.pid, began)


def test_a_process_whose_child_was_stopped_does_not_run(start: Start):
    """A gunicorn master answers nothing without its worker."""
    process = start("sh", "-c", "sleep 600 & wait")
    assert eventually(process.children)
    (child,) = process.children()
    child.suspend()
    stopped = eventually(lambda: not processes.running(process.pid, process.create_time()))
    child.kill()

    assert stopped


def test_a_stopped_process_hears_that_it_should_end(start: Start, tmp_path: Path):
    """Woken to do so by itself, with its last words, long before the grace is over."""
    process = start(sys.executable, "-c", POLITE)
    assert eventually(lambda: processes.log_tail(tmp_path / "logs/log") == ("ready",))
    process.suspend()
    began = time.monotonic()
    processes.stop([process], grace_seconds=60)

    assert time.monotonic() - began < 30
    assert processes.log_tail(tmp_path / "logs/log") == ("ready", "bye")


def test_a_process_that_does_not_listen_is_killed_after_the_grace(start: Start, tmp_path: Path):
    """And not before."""
    process = start(sys.executable, "-c", STUBBORN)
    assert eventually(lambda: processes.log_tail(tmp_path / "logs/log") == ("deaf",))
    began = time.monotonic()
    processes.stop([process], grace_seconds=0.4)

    assert time.monotonic() - began >= 0.4
    assert not psutil.pid_exists(process.pid)


def test_a_process_id_used_again_is_not_signalled(start: Start):
    """What is stopped is the process that was found, never its number."""
    process = start()
    earlier = psutil.Process(process.pid)
    earlier._ident = (process.pid, process.create_time() - 60)
    earlier._create_time = process.create_time() - 60
    processes.stop([earlier], grace_seconds=0.1)

    assert processes.alive(process.pid, process.create_time())


def test_memory_is_counted_for_those_there_are(start: Start):
    """One that ended counts nothing."""
    process = start()
    mine = processes.memory_mb([psutil.Process()])
    both = processes.memory_mb([psutil.Process(), process])
    processes.stop([process], grace_seconds=5)

    assert 0 < mine < both < 2000
    assert processes.memory_mb([process]) == 0


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path):
    """Bytes that are no text do no harm, and a log that was never written is empty."""
    log = tmp_path / "log"
    log.write_bytes(b"first\nsecond \xff\nthird\n")

    assert processes.log_tail(log, lines=2) == ("second �", "third")
    assert processes.log_tail(tmp_path / "none") == ()
