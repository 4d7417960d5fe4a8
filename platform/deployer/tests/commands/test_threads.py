"""Threads for work side by side: waited for, unless somebody pressed Ctrl-C."""

from __future__ import annotations

import threading

import pytest

from deployer.commands.threads import threads


def leave(error: BaseException, go: threading.Event, done: threading.Event) -> None:
    """Leave the threads by an error, with work under way that ends when it may go on."""

    def beside() -> None:
        assert go.wait(10.0)
        done.set()

    with threads(1) as pool:
        pool.submit(beside)
        raise error


def test_an_error_waits_for_the_work_beside_it():
    """One service's failure leaves no other half done."""
    go, done = threading.Event(), threading.Event()
    go.set()
    with pytest.raises(ValueError, match="broken"):
        leave(ValueError("broken"), go, done)

    assert done.is_set()


def test_ctrl_c_waits_for_nothing():
    """A rollout of minutes does not keep the terminal."""
    go, done = threading.Event(), threading.Event()
    with pytest.raises(KeyboardInterrupt):
        leave(KeyboardInterrupt(), go, done)
    assert not done.is_set()

    go.set()
    assert done.wait(10.0)
