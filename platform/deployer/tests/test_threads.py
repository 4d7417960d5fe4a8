"""Threads for work side by side: waited for, unless somebody pressed Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from deployer.threads import gather, threads


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


def test_ctrl_c_is_heard_whichever_thread_the_kernel_hands_it_to():
    """Taken by the thread of the work, it does not wake the main one, which waits for that."""
    heard, in_vain = threading.Event(), threading.Event()

    def interrupted() -> None:
        time.sleep(0.2)  # until the main thread waits: nothing tells
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        if not heard.wait(10.0):
            in_vain.set()

    with pytest.raises(KeyboardInterrupt), threads(1) as pool:
        gather([pool.submit(interrupted)])
    heard.set()
    assert not in_vain.is_set()


def test_what_failed_is_told_when_all_have_ended():
    """The first by its place, with no work under way any more."""
    go, done = threading.Event(), threading.Event()

    def fails() -> None:
        go.set()
        raise ValueError("broken")

    def beside() -> None:
        assert go.wait(10.0)
        done.set()

    with threads(2) as pool:
        jobs = [pool.submit(fails), pool.submit(beside)]
        with pytest.raises(ValueError, match="broken"):
            gather(jobs)
        assert done.is_set()
