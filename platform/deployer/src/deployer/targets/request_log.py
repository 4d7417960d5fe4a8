"""What a release logs: which requests failed, and what was said about them.

A log has a JSON object a line (`platform_kit.logs`); a request's last line is `request_finished`
with its status. Pure.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from deployer.targets.protocol import FailedRequest

LINES_A_REQUEST = 50  # a loop that logs must not fill an incident's page
FINISHED = "request_finished"


def failing_requests(text: str, *, since: float, limit: int) -> tuple[FailedRequest, ...]:
    """Return the newest requests of a log that ended with 5xx at or after `since`, oldest first.

    Lines that are no JSON (a crash's last words) belong to no request and are left out.
    """
    lines_of: defaultdict[str, list[str]] = defaultdict(list)
    ends: list[tuple[str, dict[str, object]]] = []
    for line, entry in _entries(text):
        request_id = entry.get("request_id")
        if not isinstance(request_id, str):
            continue
        lines_of[request_id].append(line)
        if entry.get("event") == FINISHED and _failed(entry):
            ends.append((request_id, entry))
    recent = [end for end in ends if _time(end[1]) >= since]
    newest = recent[-limit:] if limit > 0 else []
    return tuple(_request(name, entry, lines_of[name]) for name, entry in newest)


def _entries(text: str) -> Iterator[tuple[str, dict[str, object]]]:
    for line in text.splitlines():
        if not line.startswith("{"):
            continue
        try:
            yield line, json.loads(line)
        except ValueError:
            continue  # cut off by a kill


def _failed(entry: dict[str, object]) -> bool:
    status = entry.get("status")
    return isinstance(status, int) and status >= 500


def _time(entry: dict[str, object]) -> float:
    return datetime.fromisoformat(str(entry["timestamp"])).timestamp()


def _request(request_id: str, entry: dict[str, object], lines: list[str]) -> FailedRequest:
    return FailedRequest(
        request_id,
        _time(entry),
        str(entry.get("method")),
        str(entry.get("route")),
        int(str(entry["status"])),
        tuple(lines[-LINES_A_REQUEST:]),
    )
