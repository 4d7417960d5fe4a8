"""The instances' admin ports: health, memory and CPU shares, slow requests in flight, outcomes.

Every instance is asked at the same time, and none for more than a second an answer, so a hung one
delays a reading by one second and not by one second each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deployer.metrics.outcomes import outcomes_of
from deployer.metrics.source import Instance, Outcome

if TYPE_CHECKING:
    import urllib3

_GAUGE = re.compile(
    r"^(process_memory_share|process_cpu_share|http_requests_in_flight_slow)(?:\{[^}]*\})? (\S+)",
    re.MULTILINE,
)

# A kept connection that the other end has just closed would look like a dead instance.
_FRESH = {"Connection": "close"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What one instance told; None for what it did not."""

    healthy: bool
    memory_share: float | None = None
    cpu_share: float | None = None
    slow_in_flight: int | None = None
    outcomes: tuple[Outcome, ...] | None = None


def see(pool: urllib3.PoolManager, instances: Sequence[Instance]) -> tuple[Seen, ...]:
    """Return what each instance says of itself; one that can't be reached is unhealthy."""
    if not instances:
        return ()
    with ThreadPoolExecutor(max_workers=2 * len(instances)) as executor:
        healths = [executor.submit(fetch, pool, f"{i.admin_url}/health") for i in instances]
        pages = [executor.submit(fetch, pool, f"{i.admin_url}/metrics") for i in instances]
        return tuple(
            _seen(healthy=health.result() is not None, page=page.result())
            for health, page in zip(healths, pages, strict=True)
        )


def fetch(pool: urllib3.PoolManager, url: str) -> str | None:
    """Return the body of a 200 answer within a second, or None."""
    import urllib3  # noqa: PLC0415  # 60 ms that commands without metrics do not pay

    try:
        answer = pool.request("GET", url, headers=_FRESH, retries=False, redirect=False)
    except urllib3.exceptions.HTTPError:
        return None
    return answer.data.decode("utf-8", "replace") if answer.status == 200 else None


def _seen(*, healthy: bool, page: str | None) -> Seen:
    gauges = {name: float(value) for name, value in _GAUGE.findall(page or "")}
    slow = gauges.get("http_requests_in_flight_slow")
    return Seen(
        healthy=healthy,
        memory_share=gauges.get("process_memory_share"),
        cpu_share=gauges.get("process_cpu_share"),
        slow_in_flight=None if slow is None else int(slow),
        outcomes=None if page is None else outcomes_of(page),
    )
