"""The index: one ConfigMap a service that lists its rollouts, newest first.

It is the truth about what was begun and how it ended. The events of the last 20 are kept whole; of
older ones only what stands here, and of the oldest nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from deployer.cluster import Cluster, Object, ObjectChanged, ObjectExists, annotation, metadata
from deployer.ledger.cluster.blocks import pack, unpack
from deployer.ledger.cluster.places import Places, config_map
from deployer.ledger.protocol import Header, Lease, StaleFenceError
from deployer.model import RolloutId, ServiceName

NAME = "rollouts"
FENCE = "deployer/fence"
KEPT_WHOLE = 20  # as far back as anybody asks why; each takes up to a few hundred KiB of etcd
KEPT = 200  # a header takes 0.5 KiB: the list stays below 100 KiB


@dataclass(frozen=True, slots=True)
class Row:
    """A rollout in the list. `headline` is its last, once it is over; `whole` while it has events."""

    id: int
    order: str
    started_at: float
    finished_at: float | None = None
    outcome: str | None = None
    headline: str = ""
    whole: bool = True

    def header(self, service: ServiceName) -> Header:
        """Return the row as the ledger's callers know it."""
        summary = "" if self.whole else self.headline or "not known"
        return Header(
            RolloutId(self.id),
            service,
            self.order,
            self.started_at,
            self.finished_at,
            self.outcome,
            summary,
        )


@dataclass(frozen=True, slots=True)
class Index:
    """A service's list: its version in the cluster, the highest fence, and the rows, newest first."""

    version: str = ""
    fence: int = 0
    rows: tuple[Row, ...] = ()

    @property
    def unfinished(self) -> tuple[Row, ...]:
        """The rollouts on their way: never more than one, where `carry_out` began them."""
        return tuple(row for row in self.rows if row.outcome is None and row.whole)

    @property
    def outdated(self) -> tuple[Row, ...]:
        """The rows that one more rollout pushes out of those that are kept whole."""
        return tuple(row for row in self.rows[KEPT_WHOLE - 1 :] if row.whole)

    def begun(self, order: str, *, now: float) -> Index:
        """Return the list with one more rollout."""
        number = self.rows[0].id + 1 if self.rows else 1
        whole = self.rows[: KEPT_WHOLE - 1]
        reduced = tuple(replace(row, whole=False) for row in self.rows[KEPT_WHOLE - 1 : KEPT - 1])
        return replace(self, rows=(Row(number, order, now), *whole, *reduced))

    def finished(self, rollout: RolloutId, outcome: str, *, headline: str, now: float) -> Index:
        """Return the list with a rollout closed."""
        rows = tuple(
            replace(row, outcome=outcome, finished_at=now, headline=headline)
            if row.id == rollout
            else row
            for row in self.rows
        )
        return replace(self, rows=rows)


class Indexes:
    """The lists of one environment."""

    def __init__(self, cluster: Cluster, places: Places) -> None:
        self._cluster = cluster
        self._places = places

    def read(self, service: ServiceName) -> Index:
        """Return a service's list, empty before its first rollout."""
        found = self._cluster.get(self._places.map(service, NAME))
        if found is None:
            return Index()
        rows = unpack((found.get("binaryData") or {})["rows"])
        return Index(
            str(metadata(found)["resourceVersion"]),
            int(annotation(found, FENCE) or 0),
            tuple(Row(**row) for row in rows),
        )

    def fence(self, lease: Lease) -> Index:
        """Have no older holder write the list any more; return it.

        Raises StaleFenceError when a newer one has done the same to us.
        """
        return self.update(lease, lambda index: index)

    def update(self, lease: Lease, change: Callable[[Index], Index]) -> Index:
        """Write a changed list as the lease's holder; raise StaleFenceError when it is another's.

        `change` may be called again, with what a write whose answer was lost has left.
        """
        while True:
            index = self.read(lease.service)
            if index.fence > lease.fence:
                raise StaleFenceError(lease.service, lease.fence)
            changed = replace(change(index), fence=lease.fence)
            if changed == index:
                return index
            try:
                self._write(lease.service, changed)
            except (ObjectExists, ObjectChanged):
                continue
            return changed

    def _write(self, service: ServiceName, index: Index) -> None:
        body = _body(service, index)
        if index.version:
            self._cluster.replace(self._places.map(service, NAME), body)
        else:
            self._cluster.create(self._places.maps(service), body)


def _body(service: ServiceName, index: Index) -> Object:
    body = config_map(NAME, service, kind="rollouts")
    body["metadata"]["annotations"][FENCE] = str(index.fence)
    if index.version:
        body["metadata"]["resourceVersion"] = index.version
    body["binaryData"] = {"rows": pack([asdict(row) for row in index.rows])}
    body["data"] = {"newest": _newest(index)}
    return body


def _newest(index: Index) -> str:
    """Say for people who look with kubectl what the list begins with."""
    if not index.rows:
        return "no rollout yet"
    row = index.rows[0]
    return f"rollout {row.id}: {row.outcome or 'on its way'} {row.headline}".strip()
