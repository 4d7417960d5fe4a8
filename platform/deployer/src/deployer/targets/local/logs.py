"""The logs of one release in one slot: which requests failed, and what was said about them.

All instances of a release in a slot append to one file, a JSON object a line (`platform_kit.logs`);
a request's last line is `request_finished` with its status. Only the end of the file is read: what
went wrong just now stands there, and a log of a day may be larger than the memory.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from deployer.targets.protocol import FailedRequest

WINDOW_BYTES = 5_000_000  # 17,000 requests at 300 bytes a line; read in 0.6 s on a busy core
LINES_A_REQUEST = 50  # a loop that logs must not fill an incident's page
FINISHED = "request_finished"


def failing_requests(log: Path, *, since: float, limit: int) -> tuple[FailedRequest, ...]:
    """Return the newest requests of a log that ended with 5xx at or after `since`, oldest first.

    Lines that are no JSON (a crash's last words) belong to no request and are left out.
    """
    lines_of: defaultdict[str, list[str]] = defaultdict(list)
    ends: list[tuple[str, dict[str, object]]] = []
    for line, entry in _entries(log):
        request_id = entry.get("request_id")
        if not isinstance(request_id, str):
            continue
        lines_of[request_id].append(line)
        if entry.get("event") == FINISHED and _failed(entry):
            ends.append((request_id, entry))
    recent = [end for end in ends if _time(end[1]) >= since]
    newest = recent[-limit:] if limit > 0 else []
    return tuple(_request(name, entry, lines_of[name]) for name, entry in newest)


def _entries(log: Path) -> Iterator[tuple[str, dict[str, object]]]:
    for line in _end_of(log).decode(errors="replace").splitlines():
        if not line.startswith("{"):
            continue
        try:
            yield line, json.loads(line)
        except ValueError:
            continue  # cut off by a kill


def _end_of(log: Path) -> bytes:
    """Return the last bytes of a file from the beginning of a line; nothing of one there is not."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            begin = max(0, size - WINDOW_BYTES)
            file.seek(begin)
            window = file.read(WINDOW_BYTES)
    except FileNotFoundError:
        return b""
    return window if begin == 0 else window.partition(b"\n")[2]


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
