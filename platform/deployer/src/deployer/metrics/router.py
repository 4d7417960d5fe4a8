"""The router's Prometheus page: one slot's requests, codes, slow ones and latency out of its text.

Only two families of one service matter, so the page is read line by line with one regular
expression: a page of 8 services, 3 codes and 2 methods takes 1.2 ms for both slots, where
prometheus_client's parser takes 17 ms. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from deployer.metrics.counts import Counts
from deployer.metrics.latency import Latency

# Traefik's histogram must have a bucket at exactly this: slow is all that is not in it.
SLOW_SECONDS = 1.0
_CLIENT_CLOSED = 499  # the caller hung up: Traefik's word for no answer that is nobody's failure

_LINE = re.compile(
    r"traefik_service_(?P<family>requests_total|request_duration_seconds_(?:count|bucket))"
    r"\{(?P<labels>.*)\} (?P<value>\S+)"
)
_PREFIX = "traefik_service_request"
_BEGAN = re.compile(r"^process_start_time_seconds(?:\{[^}]*\})? (?P<value>\S+)", re.MULTILINE)
_LABEL = re.compile(r'(?P<name>\w+)="(?P<value>[^"]*)"')


class BucketMissingError(ValueError):
    """The histogram has no bucket at exactly 1 s, so slow requests can't be told."""


@dataclass(frozen=True, slots=True)
class _Sample:
    family: str
    labels: tuple[tuple[str, str], ...]
    value: int

    def label(self, name: str) -> str:
        return next((value for key, value in self.labels if key == name), "")


def sections_of(page: str, pattern: str) -> dict[str, str]:
    """Return, by name, the lines of those of the router's services whose name `pattern` matches."""
    mark = re.compile(f'service="({pattern})@')
    sections: dict[str, list[str]] = {}
    for line in page.splitlines():
        if line.startswith(_PREFIX) and (match := mark.search(line)):
            sections.setdefault(match[1], []).append(line)
    return {name: "\n".join(lines) for name, lines in sections.items()}


def counts_of(page: str, name: str) -> Counts:
    """Return the running totals of the router's service `name`, such as `product-blue`.

    A service that the router has not sent a request to has no lines yet: zero. Codes of 500 and
    above, and codes that are none, failed; 400 to 499 were refused, callers that hung up (499)
    among them. Raises BucketMissingError when latency is measured without a bucket at 1 s.
    """
    requests = failed = refused = timed = fast = 0
    has_bucket = False
    for sample in _samples(page, name):
        if sample.family == "requests_total":
            code = _code(sample.label("code"))
            requests += sample.value
            failed += sample.value if code >= 500 or code < 100 else 0
            refused += sample.value if 400 <= code <= _CLIENT_CLOSED else 0
        elif sample.family == "request_duration_seconds_count":
            timed += sample.value
        elif float(sample.label("le")) == SLOW_SECONDS:
            has_bucket = True
            fast += sample.value
    if timed and not has_bucket:
        message = f"the router measures {name} without a bucket at {SLOW_SECONDS} s"
        raise BucketMissingError(message)
    return Counts(requests, failed, max(0, timed - fast), refused)


def latency_of(page: str, name: str) -> Latency:
    """Return the running totals of the histogram of the router's service `name`."""
    within: dict[float, int] = {}
    for sample in _samples(page, name):
        if sample.family == "request_duration_seconds_bucket":
            bound = float(sample.label("le"))
            within[bound] = within.get(bound, 0) + sample.value
    return Latency.of(within)


def began_of(page: str) -> float | None:
    """Return when a page's process was started, in seconds since the epoch; None when it does not say."""
    match = _BEGAN.search(page)
    return float(match["value"]) if match else None


def labels_of(text: str) -> tuple[tuple[str, str], ...]:
    """Return the labels of a sample, name by name, from what is between its braces."""
    return tuple((found["name"], found["value"]) for found in _LABEL.finditer(text))


def _samples(page: str, name: str) -> Iterable[_Sample]:
    mark = f'service="{name}@'  # the provider's name follows: product-blue@file
    for line in page.splitlines():
        if mark in line and (match := _LINE.match(line)):
            labels = labels_of(match["labels"])
            yield _Sample(match["family"], labels, int(float(match["value"])))


def _code(text: str) -> int:
    return int(text) if text.isdecimal() else 0
