"""What is told of the failed requests of a release: read from the end of its log, within bounds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deployer.targets import FailedRequest, request_log
from deployer.targets.local import logs

ERROR = {"event": "error_raised", "exception": "ValueError", "timestamp": "2026-01-01T00:00:09Z"}


def finished(request_id: str, *, status: int = 500, second: int = 10) -> dict[str, object]:
    return {
        "event": "request_finished",
        "request_id": request_id,
        "method": "GET",
        "route": "/api/v1/products/<int:id>",
        "status": status,
        "timestamp": f"2026-01-01T00:00:{second:02d}+00:00",
    }


def write(folder: Path, *entries: dict[str, object] | str) -> Path:
    log = folder / "log"
    lines = [entry if isinstance(entry, str) else json.dumps(entry) for entry in entries]
    log.write_text("\n".join(lines) + "\n")
    return log


def ids(log: Path, *, since: float = 0.0, limit: int = 10) -> list[str]:
    return [each.request_id for each in logs.failing_requests(log, since=since, limit=limit)]


def test_a_failed_request_comes_with_all_its_lines(tmp_path: Path):
    """And with none of another's, however they are mixed."""
    raised = {**ERROR, "request_id": "b"}
    log = write(tmp_path, finished("a", status=200), raised, finished("c"), finished("b"))
    _, found = logs.failing_requests(log, since=0.0, limit=10)

    assert found == FailedRequest(
        request_id="b",
        at=1767225610.0,
        method="GET",
        route="/api/v1/products/<int:id>",
        status=500,
        lines=(json.dumps(raised), json.dumps(finished("b"))),
    )


@pytest.mark.parametrize(("status", "failed"), [(200, 0), (404, 0), (499, 0), (500, 1), (503, 1)])
def test_only_5xx_is_a_failure(tmp_path: Path, status: int, failed: int):
    """A client's own mistake says nothing of the release."""
    log = write(tmp_path, finished("a", status=status))

    assert len(ids(log)) == failed


def test_the_newest_are_told_in_the_order_of_their_end(tmp_path: Path):
    """As many as are wanted, and none for a limit of zero."""
    log = write(tmp_path, *(finished(name) for name in "abcd"))

    assert ids(log, limit=2) == ["c", "d"]
    assert ids(log, limit=9) == ["a", "b", "c", "d"]
    assert ids(log, limit=0) == []


def test_what_ended_before_is_left_out(tmp_path: Path):
    """A failure of the hour before is another incident's."""
    log = write(tmp_path, finished("a", second=9), finished("b", second=10))

    assert ids(log, since=1767225610.0) == ["b"]


def test_lines_that_are_no_entries_do_no_harm(tmp_path: Path):
    """Last words of a crash, a line cut off by a kill, an entry outside of any request."""
    cut = json.dumps(finished("a"))[:40]
    log = write(tmp_path, "Traceback (most recent call last):", cut, ERROR, "", finished("b"))

    assert ids(log) == ["b"]


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """From the first whole line within the window."""
    log = write(tmp_path, *(finished(name) for name in "abc"))
    monkeypatch.setattr(logs, "WINDOW_BYTES", 2 * (len(json.dumps(finished("a"))) + 1) + 5)

    assert ids(log) == ["b", "c"]


def test_a_request_that_logs_without_end_is_cut_short(tmp_path: Path):
    """Its last lines are kept: the end tells what went wrong."""
    noise = [{**ERROR, "request_id": "a", "turn": turn} for turn in range(200)]
    (found,) = logs.failing_requests(write(tmp_path, *noise, finished("a")), since=0.0, limit=1)

    assert len(found.lines) == request_log.LINES_A_REQUEST
    assert json.loads(found.lines[-1]) == finished("a")


def test_a_log_that_was_never_written_tells_nothing(tmp_path: Path):
    """A candidate may fail before its first line."""
    assert ids(tmp_path / "none") == []
