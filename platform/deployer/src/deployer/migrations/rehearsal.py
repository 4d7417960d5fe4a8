"""A release's schema change, tried on a copy with as many rows as production has: what it locks, for how long, and the time.

The copy has the last release's schema and generated rows. The release's own runner changes it, with
somebody who writes beside. Expand comes before the rollout, contract long after it: both are tried.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from deployer.environment import GeneratedRows
from deployer.errors import InputError
from deployer.migrations.budget import Budget, Over, Step, over_budget, steps_of, stopped
from deployer.migrations.bystander import Bystander
from deployer.migrations.catalogue import Table, read_tables
from deployer.migrations.history import PHASES, History
from deployer.migrations.parse import parse
from deployer.migrations.rows import Filled, Size, fill
from deployer.migrations.trial import Trial
from deployer.model import ServiceName
from deployer.targets.local.postgres import Postgres


@dataclass(frozen=True, slots=True)
class Run:
    """How long a phase took, and what the one who wrote beside it saw; `refused` is why a write failed."""

    phase: str
    seconds: float
    writes: int
    slowest_write_seconds: float
    refused: str | None


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What a rehearsal showed; nothing, where no release was before, `older`, or none of its schema changes."""

    service: str
    older: str | None
    budget: Budget
    filled: tuple[Filled, ...] = ()
    runs: tuple[Run, ...] = ()
    steps: tuple[Step, ...] = ()
    over: tuple[Over, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was over budget, and nobody's write was refused."""
        return not self.over and not any(run.refused for run in self.runs)


@dataclass(slots=True)
class Rehearsal:
    """One service's change: the release that brings it, the one before, and the server for the copy."""

    service: ServiceName
    newer: Path
    older: Path
    postgres: Postgres
    scratch: Path
    budget: Budget
    _runs: list[Run] = field(default_factory=list)
    _steps: list[Step] = field(default_factory=list)
    _over: list[Over] = field(default_factory=list)

    def rehearse(
        self,
        name: str,
        histories: tuple[History, History],
        declared: GeneratedRows,
        size: Size,
    ) -> Rehearsed:
        """Make the copy and change it; `histories` are the older release's, whose name it is, and the newer's.

        Raises InputError `rows-unknown`, and OperationError `rows-not-generated` or `revision-failed`.
        """
        older, newer = histories
        self.postgres.renew(self.service)
        url = self.postgres.url(self.service)
        for phase in _phases(older):
            Trial(self.service, self.older, url, self.scratch).apply(phase)
        with psycopg.connect(url, autocommit=True) as connection:
            tables = list(read_tables(connection))
            filled = fill(connection, size, declared.generators)
            for phase in _phases(newer):
                if not self._over:  # what comes after it was not to be seen
                    self._run(Trial(self.service, self.newer, url, self.scratch), phase)
                    tables += read_tables(connection)
        if not self._over:
            require_known(declared, tables)
        return Rehearsed(
            self.service,
            name,
            self.budget,
            filled,
            tuple(self._runs),
            tuple(self._steps),
            tuple(self._over),
        )

    def _run(self, trial: Trial, phase: str) -> None:
        began = time.monotonic()
        with Bystander(trial.url) as bystander:
            recorded, at_work = trial.upgrade_within(phase, self.budget.duration_seconds)
            seconds = time.monotonic() - began
        steps = steps_of(recorded, phase=phase, parse=parse)
        self._steps += steps
        self._over += over_budget(steps, self.budget)
        if at_work is not None:
            self._over.append(stopped(at_work, seconds, self.budget))
        slowest = bystander.slowest_seconds
        self._runs.append(Run(phase, seconds, bystander.writes, slowest, bystander.refused))


def require_known(declared: GeneratedRows, tables: Iterable[Table]) -> None:
    """Raise InputError `rows-unknown` for a declared table or column that there is not, before the change or after it."""
    known: dict[str, set[str]] = {}
    for table in tables:
        known.setdefault(table.name, set()).update(column.name for column in table.columns)
    named: list[tuple[str, str | None]] = [(table, None) for table in declared.rows]
    named += [(table, column) for table, made in declared.generators.items() for column in made]
    for name, column in named:
        if name not in known:
            raise _unknown(f"there is no table {name!r}", known)
        if column is not None and column not in known[name]:
            raise _unknown(f"{name} has no column {column!r}", known[name])


def _unknown(what: str, known: Iterable[str]) -> InputError:
    return InputError(
        "rows-unknown",
        f"[tool.deployer.migrations] of the service: {what}",
        hint=f"one of these: {', '.join(sorted(known))}",
    )


def pending(older: History, newer: History) -> tuple[str, ...]:
    """Return the revisions that a release brings and the one before did not have."""
    return tuple(each.revision for each in newer.revisions if older.get(each.revision) is None)


def _phases(history: History) -> tuple[str, ...]:
    return tuple(phase for phase in PHASES if history.of(phase))
