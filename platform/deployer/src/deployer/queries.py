"""What is asked of a Prometheus server: one table of PromQL, each line of which a file can replace.

The defaults are for Traefik as the Gateway controller, for pods that are found by the API server
(`namespace` and `pod` as labels, and the pod's label `deployer/release` as `deployer_release`), and
for what `platform_kit` exports. `docs/reference/metrics.md` has such a scrape configuration, and
the lines for other Gateway controllers.

A line may hold `{service}`, `{slot}`, `{namespace}` and `{release}`, which are replaced as they
are: PromQL has no other use for a bare word in braces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

PLACEHOLDERS = ("service", "slot", "namespace", "release")
_BARE_WORD = re.compile(r"\{\s*([A-Za-z_]\w*)\s*\}")

_ROUTER = 'job="traefik"'
# Traefik 3.7 has a series for each route, rule and place of a Service in it, and names its namespace
# and name last; older versions have one a Service: product-dev-product-blue-http-80.
_SLOT = 'service=~"(.+-svc-)?{namespace}-{service}-{slot}-(http-)?[0-9]+@kubernetesgateway"'
_PODS = (
    'namespace="{namespace}", pod=~"{service}-{slot}-[a-z0-9]+-[a-z0-9]+",'
    ' deployer_release="{release}"'
)
_REQUESTS = f"traefik_service_requests_total{{{_SLOT}"
_SLOW = f"http_requests_in_flight_slow{{{_PODS}}}"


def _checked(query: str) -> str:
    for found in _BARE_WORD.finditer(query):
        if found[1] not in PLACEHOLDERS:
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            message = f"unknown placeholder {{{found[1]}}}; known: {known}"
            raise ValueError(message)
    return query


Query = Annotated[str, AfterValidator(_checked)]
Needed = Annotated[Query, Field(min_length=1)]


class Queries(BaseModel):
    """Every query, by what it is for. All return an instant vector; those that may be "" can be left out.

    One element a replica of the router, with the same labels in all. What is of a slot may have more
    labels: each series is then subtracted from itself, which is right if the router drops some.
    - `router_scraped`: when the replica was last read (seconds since the epoch), 0 if it could not be.
    - `router_started`: when its counters began at zero. May be "".
    - `requests`, `failed`, `refused`: a slot's running totals: all, 5xx or no answer, 4xx.
    - `latency`: a slot's running histogram, by `le` too. One bound has to be exactly 1 s.

    One element a pod, with the same labels in all:
    - `instances_scraped`: when a pod of the slot was last read, or could not be.
    - `healthy`: 1, or 0.
    - `memory`, `cpu`: shares of the pod's limits. May be "".
    - `started`: when the pod was started. May be "".
    - `attempts`, `successes`: business totals, by `name` too. May be "".

    One number: `slow_in_flight`, the slot's unfinished requests that are older than 1 s, and only
    if it was seen after the router was: a request that has finished in between would count twice.
    May be "".

    `bound_seconds` is what 1 means in `le`: 0.001 where a histogram counts milliseconds. A replica
    that was last read longer than `stale_seconds` ago makes a blind reading.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    router_scraped: Needed = f"max by (instance) (timestamp(up{{{_ROUTER}}} == 1)) or min by (instance) (up{{{_ROUTER}}})"
    router_started: Query = f"max by (instance) (process_start_time_seconds{{{_ROUTER}}})"
    requests: Needed = f"sum by (instance, service) ({_REQUESTS}}})"
    failed: Needed = f'sum by (instance, service) ({_REQUESTS}, code!~"[1-4].."}})'
    refused: Needed = f'sum by (instance, service) ({_REQUESTS}, code=~"4.."}})'
    latency: Needed = f"sum by (instance, service, le) (traefik_service_request_duration_seconds_bucket{{{_SLOT}}})"
    instances_scraped: Needed = f"max by (pod) (timestamp(up{{{_PODS}}}))"
    healthy: Needed = f"min by (pod) (up{{{_PODS}}})"
    memory: Query = f"max by (pod) (process_memory_share{{{_PODS}}})"
    cpu: Query = f"max by (pod) (process_cpu_share{{{_PODS}}})"
    started: Query = f"max by (pod) (process_start_time_seconds{{{_PODS}}})"
    attempts: Query = f"sum by (pod, name) (business_attempts_total{{{_PODS}}})"
    successes: Query = f"sum by (pod, name) (business_successes_total{{{_PODS}}})"
    slow_in_flight: Query = (
        f"sum({_SLOW}) and (min(timestamp({_SLOW})) >= max(timestamp(up{{{_ROUTER}}})))"
    )
    bound_seconds: Annotated[float, Field(gt=0)] = 1.0
    stale_seconds: Annotated[float, Field(gt=0)] = 60.0


def filled(query: str, values: Mapping[str, str]) -> str:
    """Return a query with its placeholders replaced."""
    return _BARE_WORD.sub(lambda found: values.get(found[1], found[0]), query)
