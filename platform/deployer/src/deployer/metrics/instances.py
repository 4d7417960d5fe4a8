"""The instances' admin ports: health, memory and CPU shares, slow requests in flight, outcomes.

All are asked at the same time, and none for more than a second, so a hung one delays a reading by
one second and not by one second each. An instance that is read through the API server and does not
answer in time is unhealthy only if the API server itself, asked for its version at the same time,
did answer: otherwise nothing is known of the instance.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from deployer.metrics.asking import Crew
from deployer.metrics.outcomes import outcomes_of
from deployer.metrics.pages import HUNG, SECONDS, Page, Told, api_server_of, control, fetch
from deployer.metrics.source import Instance, Outcome

if TYPE_CHECKING:
    import urllib3

_GAUGE = re.compile(
    r"^(process_memory_share|process_cpu_share|http_requests_in_flight_slow)(?:\{[^}]*\})? (\S+)",
    re.MULTILINE,
)
_GONE = Page(Told.GONE)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one instance told; None for what it did not, and for the health of one not asked for it.

    `blind` is whether something between the deployer and the instance did not do its part. An
    instance that was deleted meanwhile is neither healthy nor unhealthy, and nobody is blind.
    """

    healthy: bool | None = None
    memory_share: float | None = None
    cpu_share: float | None = None
    slow_in_flight: int | None = None
    outcomes: tuple[Outcome, ...] | None = None
    blind: bool = False


def see(
    crew: Crew,
    pool: urllib3.PoolManager,
    candidate: Sequence[Instance],
    live: Sequence[Instance],
    *,
    until: float,
) -> tuple[tuple[Seen, ...], tuple[Seen, ...]]:
    """Return what each instance of both slots says of itself; only the candidate's health is asked."""
    every = [*candidate, *live]
    urls = [f"{each.admin_url}/health" for each in candidate]
    urls += [f"{each.admin_url}/metrics" for each in every]
    servers = {server for url in urls if (server := api_server_of(url))}
    questions = {url: partial(fetch, pool, url) for url in urls}
    questions |= {server: partial(control, pool, server) for server in servers}
    answered = crew.ask(questions, until=until)
    up = {server for server in servers if answered.get(server, HUNG).told is Told.ANSWERED}

    def page(url: str) -> Page:
        server, found = api_server_of(url), answered.get(url, HUNG)
        unproven = found.told is Told.HUNG and server is not None and server not in up
        return Page(Told.UNSEEN) if unproven else found

    own = [_seen(page(f"{i.admin_url}/metrics"), page(f"{i.admin_url}/health")) for i in candidate]
    return tuple(own), tuple(_seen(page(f"{i.admin_url}/metrics"), _GONE) for i in live)


def pages_of(
    crew: Crew, pool: urllib3.PoolManager, instances: Sequence[Instance]
) -> dict[str, Page]:
    """Return the metrics page of each instance, by its address."""
    urls = [f"{each.admin_url}/metrics" for each in instances]
    questions = {url: partial(fetch, pool, url) for url in urls}
    answered = crew.ask(questions, until=time.monotonic() + SECONDS)
    return {url: answered.get(url, HUNG) for url in urls}


def _seen(metrics: Page, health: Page) -> Seen:
    known = metrics.told is Told.ANSWERED
    gauges = {name: float(value) for name, value in _GAUGE.findall(metrics.text)}
    slow = gauges.get("http_requests_in_flight_slow")
    return Seen(
        healthy=_healthy(health),
        memory_share=gauges.get("process_memory_share"),
        cpu_share=gauges.get("process_cpu_share"),
        slow_in_flight=None if slow is None else int(slow),
        outcomes=outcomes_of(metrics.text) if known else None,
        blind=Told.UNSEEN in {metrics.told, health.told},
    )


def _healthy(health: Page) -> bool | None:
    if health.told in {Told.GONE, Told.UNSEEN}:
        return None
    return health.told is Told.ANSWERED
