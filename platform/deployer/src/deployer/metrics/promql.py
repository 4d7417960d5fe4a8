"""Prometheus's HTTP API, as far as it is needed: many instant queries in one.

One request has all queries, each marked by a label and joined by `or`, and Prometheus evaluates it
over one state of its store. Asked one by one they could see a scrape of the router that was stored
in between, and one slot's requests would come a scrape before the other's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import urllib3

_MARK = "deployer_query"
_OVERLOADED = frozenset({408, 429, 499, 500, 502, 503, 504})
_MISTAKES = frozenset({"bad_data", "execution"})

Labels = tuple[tuple[str, str], ...]


class QueryRefusedError(ValueError):
    """Prometheus can't evaluate it, and says why."""


class NotPrometheusError(ValueError):
    """Something answers there that is no Prometheus, or does not let the deployer in."""


@dataclass(frozen=True, slots=True)
class Sample:
    """An element of a query's vector."""

    query: str
    labels: Labels
    value: float


def joined(queries: Mapping[str, str]) -> str:
    """Return one query that returns what all do, each element marked with its query's name."""
    marked = (
        f'label_replace((\n{text}\n), "{_MARK}", "{name}", "", "")'
        for name, text in queries.items()
    )
    return "\nor\n".join(marked)


def evaluate(
    pool: urllib3.PoolManager, url: str, queries: Mapping[str, str], *, at: float, seconds: float
) -> tuple[Sample, ...] | None:
    """Return all elements of all queries, evaluated at one time; None when there is no answer.

    A partial answer (Prometheus warns that a store is missing) is none. Raises QueryRefusedError
    and NotPrometheusError.
    """
    import urllib3  # noqa: PLC0415  # 60 ms that commands without metrics do not pay

    fields = {"query": joined(queries), "time": f"{at:.3f}", "timeout": f"{seconds:g}s"}
    try:
        answer = pool.request(
            "POST",
            f"{url.rstrip('/')}/api/v1/query",
            fields=fields,
            encode_multipart=False,
            retries=False,
            redirect=False,
            timeout=urllib3.Timeout(total=seconds),
        )
    except urllib3.exceptions.HTTPError:
        return None
    return _samples(answer.status, answer.data)


def _samples(status: int, body: bytes) -> tuple[Sample, ...] | None:
    said = _object(body)
    if said.get("errorType") in _MISTAKES:
        raise QueryRefusedError(str(said.get("error", "")))
    if status in _OVERLOADED:
        return None
    data = said.get("data")
    if status != 200 or not isinstance(data, dict) or data.get("resultType") != "vector":
        raise NotPrometheusError(f"it answers with status {status}")
    return None if said.get("warnings") else _vector(data["result"])


def _vector(elements: Sequence[Mapping[str, object]]) -> tuple[Sample, ...]:
    return tuple(_sample(element["metric"], element["value"]) for element in elements)


def _sample(metric: object, value: object) -> Sample:
    labels = dict(metric) if isinstance(metric, dict) else {}
    _, number = value if isinstance(value, list) else (0, "NaN")
    query = labels.pop(_MARK, "")
    labels.pop("__name__", None)
    return Sample(query, tuple(sorted(labels.items())), float(number))


def _object(body: bytes) -> dict[str, object]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
