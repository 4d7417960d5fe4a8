"""Background threads: a service's own jobs live as long as the instance, whatever happens to them."""

import threading

from platform_kit import background, start_background


def test_a_job_runs_until_it_is_stopped(make_app):
    """It gets the event that ends it, and is waited for."""
    begun, ended = threading.Event(), threading.Event()

    def job(stop):
        begun.set()
        stop.wait()
        ended.set()

    with start_background(make_app(background=[job])):
        assert begun.wait(5)
        assert not ended.is_set()

    assert ended.is_set()


def test_a_job_that_fails_is_logged_and_begun_again(make_app, monkeypatch, capsys):
    """A sweeper that dies of one bad row would leave all others unswept."""
    monkeypatch.setattr(background, "RESTART_SECONDS", 0.001)
    tries, enough = [], threading.Event()

    def job(_stop):
        tries.append(1)
        if len(tries) == 3:
            enough.set()
        raise ValueError("bad row")

    with start_background(make_app(background=[job])):
        assert enough.wait(5)

    logged = capsys.readouterr().err
    assert logged.count("job_failed") >= 2
    assert "ValueError: bad row" in logged


def test_a_job_that_hangs_does_not_keep_the_others_from_stopping(make_app, monkeypatch):
    """Its thread is a daemon: the process ends without it."""
    monkeypatch.setattr(background, "JOIN_SECONDS", 0.01)
    never, stopped = threading.Event(), threading.Event()
    running = start_background(
        make_app(background=[lambda _: never.wait(), lambda s: s.wait() and stopped.set()])
    )
    running.stop()
    assert stopped.wait(5)

    assert sum(thread.is_alive() for thread in running._threads) == 1
    never.set()
    running.stop()


def test_two_apps_have_threads_of_their_own(make_app):
    """Stopping one leaves the other alone."""
    events = {}

    def job_of(name):
        def job(stop):
            events[name] = stop
            stop.wait()

        return job

    one = start_background(make_app(background=[job_of("one")]))
    other = start_background(make_app(background=[job_of("other")]))
    one.stop()

    assert events["one"].is_set()
    assert not events["other"].is_set()
    other.stop()
