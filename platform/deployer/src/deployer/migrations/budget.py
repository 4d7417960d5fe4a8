"""What a rehearsal measured, a row a statement, and what of it is over an environment's budget: pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from deployer.migrations.locks import effect_of
from deployer.migrations.operations import Lock, Statement
from deployer.migrations.recording import AtWork, Executed, Recorded
from deployer.migrations.schema import Schema

# What a helper asks, and what it writes down of itself, is a row of its own only where that takes time.
NOTICED_SECONDS = 0.1
SHOWN_CHARACTERS = 160

Parse = Callable[[str], tuple[Statement, ...]]


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a lock may be held that somebody waits for, and how long a phase may take."""

    lock_seconds: float
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class Step:
    """A statement of a revision, with all its executions: the batches of a backfill are one.

    `lock` is the strongest that it took and did not have, on `tables`; `held_seconds` the longest that it
    was held, from when it was asked for until its transaction had ended.
    """

    revision: str
    phase: str
    statement: str
    times: int
    lock: str | None
    tables: tuple[str, ...]
    held_seconds: float
    seconds: float

    @property
    def line(self) -> str:
        """The statement on one line."""
        return shown(self.statement)

    @property
    def in_the_way(self) -> bool:
        """Whether somebody who writes had to wait: for the table, or for a row."""
        if self.lock is None:
            return False
        lock = Lock(self.lock)
        return lock.stops_writers or lock is Lock.ROW_EXCLUSIVE


@dataclass(frozen=True, slots=True)
class Over:
    """A statement that is over a budget, `lock` or `duration`, in seconds."""

    budget: str
    revision: str
    statement: str
    why: str


def steps_of(recorded: Iterable[Recorded], *, phase: str, parse: Parse) -> tuple[Step, ...]:
    """Return a row a statement, in the order in which they came first."""
    return tuple(step for each in recorded for step in _steps(each, phase, parse))


def _steps(recorded: Recorded, phase: str, parse: Parse) -> Iterator[Step]:
    taken: dict[str, list[tuple[Executed, Mapping[str, Lock]]]] = {}
    for _, group in groupby(recorded.executed, key=lambda each: each.transaction):
        for each, locks in _taken(group, parse):
            taken.setdefault(each.sql, []).append((each, locks))
    for sql, executions in taken.items():
        step = _step(recorded.revision, phase, sql, executions)
        own = any(each.author == "revision" for each, _ in executions)
        if own or step.lock or step.seconds >= NOTICED_SECONDS:
            yield step


def _taken(
    executed: Iterable[Executed], parse: Parse
) -> Iterator[tuple[Executed, Mapping[str, Lock]]]:
    """Yield the statements of one transaction with the locks that each took beyond those it had."""
    had: dict[str, Lock] = {}
    for each in executed:
        locks = each.locks if each.transaction is not None else _said(each.sql, parse)
        yield each, {t: lock for t, lock in locks.items() if _is_more(lock, had.get(t))}
        had = {**had, **locks} if each.transaction is not None else {}


def _said(sql: str, parse: Parse) -> Mapping[str, Lock]:
    """Return the locks of a statement outside of any transaction, which can't be read."""
    operations = [operation for statement in parse(sql) for operation in statement.operations]
    return effect_of(operations, Schema()).locks


def _is_more(lock: Lock, had: Lock | None) -> bool:
    return had is None or lock.strength > had.strength


def _step(
    revision: str,
    phase: str,
    sql: str,
    executions: list[tuple[Executed, Mapping[str, Lock]]],
) -> Step:
    strongest = max(
        (lock for _, locks in executions for lock in locks.values()),
        key=lambda lock: lock.strength,
        default=None,
    )
    holding = [(each, locks) for each, locks in executions if strongest in locks.values()]
    tables = {table for _, locks in holding for table, lock in locks.items() if lock is strongest}
    return Step(
        revision,
        phase,
        sql,
        len(executions),
        strongest and str(strongest),
        tuple(sorted(tables)),
        max((each.held_seconds for each, _ in holding), default=0.0),
        sum(each.seconds for each, _ in executions),
    )


def over_budget(steps: Iterable[Step], budget: Budget) -> Iterator[Over]:
    """Yield the statements that held a lock for longer than they may while somebody could wait for it."""
    for step in steps:
        if step.in_the_way and step.held_seconds > budget.lock_seconds:
            yield Over(
                "lock",
                step.revision,
                step.statement,
                f"held {step.lock} on {', '.join(step.tables)} for {_ms(step.held_seconds)},"
                f" over the budget of {_ms(budget.lock_seconds)}",
            )


def stopped(at_work: AtWork, seconds: float, budget: Budget) -> Over:
    """Return what a statement is over that was stopped, `seconds` after its phase had begun."""
    if seconds >= budget.duration_seconds:
        return Over(
            "duration",
            at_work.revision,
            at_work.sql,
            f"was at work when the budget of {budget.duration_seconds:g} s was over",
        )
    return Over(
        "lock", at_work.revision, at_work.sql, "held its lock until the runner cancelled it"
    )


def shown(statement: str) -> str:
    """Return a statement as one line of bearable length."""
    line = " ".join(statement.split())
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS]} ..."


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
