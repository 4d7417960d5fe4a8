"""What the ledger of one machine does beyond the promises of every ledger."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from ledger.promises import PRODUCT, done

from deployer.ledger import Entry
from deployer.ledger.file import FileLedger
from deployer.ledger.holder import holder_is_gone, this_holder


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    return FileLedger(tmp_path / "ledger.sqlite")


def test_a_dead_process_of_this_machine_loses_its_lease_at_once(ledger: FileLedger):
    """Nobody waits out the term of a holder that was killed."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(child.pid).create_time()
    holder = f"{this_holder().rsplit(':', 2)[0]}:{child.pid}:{started:.2f}"
    ledger.acquire(PRODUCT, holder, now=100.0)
    assert not holder_is_gone(holder)
    child.communicate(b"\n")

    assert ledger.acquire(PRODUCT, this_holder(), now=100.5).fence == 2


def test_a_process_number_of_another_machine_says_nothing(ledger: FileLedger):
    """Not even when the machine has this one's name: two containers of a fleet may."""
    host, pid, started = this_holder().rsplit(":", 2)
    name, _, mark = host.rpartition("-")

    assert len(mark) == 8
    assert not holder_is_gone(f"{name}-00000000:{pid}:1.00")
    assert holder_is_gone(f"{host}:{pid}:1.00")
    assert not holder_is_gone(f"{host}:{pid}:{started}")


def test_another_thread_reads_what_was_written(ledger: FileLedger):
    """A connection of its own sees every event."""
    lease = ledger.acquire(PRODUCT, this_holder(), now=100.0)
    rollout = ledger.begin(lease, "{}", now=100.0)
    written = tuple(done(100.0 + n) for n in range(20))
    for entry in written:
        ledger.append(lease, rollout, entry)

    seen: list[tuple[Entry, ...]] = []
    thread = threading.Thread(target=lambda: seen.append(ledger.entries(PRODUCT, rollout)))
    thread.start()
    thread.join()
    assert seen == [written]
