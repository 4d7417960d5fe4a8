"""What a run of migrations was seen to do, and what is wrong with that: pure.

The recorder writes a line a statement; here they become revisions with the locks that they really
took, and are judged: by the lint, and by what PostgreSQL did, which has the last word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deployer.migrations.history import Broken
from deployer.migrations.locks import effect_of
from deployer.migrations.operations import Lock, Rename, Statement
from deployer.migrations.rules import BY_NAME
from deployer.migrations.schema import Schema
from deployer.migrations.verdict import judge

MODES = {"".join(word.capitalize() for word in lock.split()) + "Lock": lock for lock in Lock}
PARAMETER = re.compile(r"%\((\w+)\)s(::[\w ]+(?:\(\d+\))?)?")
# The kit's guard sets the time-outs a lock class, so that these can't go wrong there.
GUARDED = frozenset(
    {"create-trigger", "no-timeout", "concurrently-under-timeout", "transaction-unbalanced"}
)
Parse = Callable[[str], tuple[Statement, ...]]
Find = Callable[[Sequence[str]], Sequence[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Executed:
    """A statement that was executed, by whom, and what its transaction held of the tables there were.

    `transaction` is None for one outside of any: its locks can't be read, and are those that the
    same statement of the corpus was seen to take. `held_seconds` is the time from when it was sent until its
    transaction had ended: for so long somebody may have waited for its locks, or queued behind it.
    """

    sql: str
    author: str
    transaction: int | None
    locks: dict[str, Lock]
    rewritten: tuple[str, ...]
    seconds: float
    held_seconds: float


@dataclass(frozen=True, slots=True)
class AtWork:
    """A statement that had begun when its run was ended, and of which revision."""

    revision: str
    sql: str


@dataclass(slots=True)
class Recorded:
    """A revision that was run: its statements in their order, and the schema's shape after it."""

    revision: str
    executed: list[Executed] = field(default_factory=list)
    shape: str | None = None

    @property
    def locks(self) -> dict[str, Lock]:
        """The strongest lock a table, as measured."""
        strongest: dict[str, Lock] = {}
        for each in self.executed:
            for table, lock in each.locks.items():
                if table not in strongest or strongest[table].strength < lock.strength:
                    strongest[table] = lock
        return strongest

    @property
    def rewritten(self) -> tuple[str, ...]:
        """The tables that got a new file."""
        return tuple(sorted({table for each in self.executed for table in each.rewritten}))


def read_recording(text: str) -> tuple[Recorded, ...]:
    """Read the recorder's lines."""
    found: dict[str, Recorded] = {}
    rows = _rows(text)
    ends = {row["transaction"]: row["at"] for row in rows if row["kind"] == "ended"}
    for row in rows:
        if row["kind"] not in {"recorded", "statement"}:
            continue
        revision = found.setdefault(row["revision"], Recorded(row["revision"]))
        if row["kind"] == "recorded":
            revision.shape = row["shape"]
        else:
            revision.executed.append(_executed(row, ends))
    return tuple(found.values())


def read_at_work(text: str) -> AtWork | None:
    """Return the statement that began last, as the recorder's lines have it."""
    begun = [row for row in _rows(text) if row["kind"] == "began"]
    return AtWork(begun[-1]["revision"], _bare(begun[-1]["sql"])) if begun else None


def _rows(text: str) -> list[dict[str, Any]]:
    whole, _, _unfinished = text.rpartition("\n")  # who wrote it may have been killed
    return [json.loads(line) for line in whole.splitlines()]


def _bare(statement: str) -> str:
    return PARAMETER.sub(_numbered(), statement).strip()


def _executed(row: dict[str, Any], ends: Mapping[int, float]) -> Executed:
    held = row["locks"]
    rewritten = row["rewritten"]
    locks = {
        table: max((MODES[mode] for mode in modes), key=lambda lock: lock.strength)
        for table, modes in (held.items() if isinstance(held, dict) else ())
    }
    number = row["transaction"]
    return Executed(
        sql=_bare(row["sql"]),
        author=str(row["author"]),
        transaction=number if isinstance(number, int) else None,
        locks=locks,
        rewritten=tuple(rewritten) if isinstance(rewritten, list) else (),
        seconds=row["ended"] - row["began"],
        held_seconds=ends.get(number, row["ended"]) - row["began"],
    )


def _numbered() -> Callable[[re.Match[str]], str]:
    """Return what turns the driver's parameters into PostgreSQL's."""
    seen: dict[str, int] = {}
    return lambda found: f"${seen.setdefault(found[1], len(seen) + 1)}{found[2] or ''}"


def broken_revision(
    recorded: Recorded, phase: str, schema: Schema, *, parse: Parse, find: Find
) -> Iterator[Broken]:
    """Yield what is wrong with a revision; `schema` is what was there, and takes the revision in."""
    schema.new.clear()
    yield from _seen(recorded)
    statements = [parse(each.sql) for each in recorded.executed]
    yield from _disagreeing(recorded, statements, schema)
    yield from _judged(recorded, statements, phase, schema, find, parse)


def _seen(recorded: Recorded) -> Iterator[Broken]:
    """Yield what PostgreSQL was seen to do that it must not, whoever wrote the statement."""
    for each in recorded.executed:
        if each.rewritten:
            yield _of(
                "rewrites-table",
                recorded,
                f"PostgreSQL wrote {', '.join(each.rewritten)} anew under ACCESS EXCLUSIVE.",
                each.sql,
            )
        hard = sorted(t for t, lock in each.locks.items() if lock is Lock.ACCESS_EXCLUSIVE)
        if each.author == "revision" and len(hard) > 1:
            rule = BY_NAME["several-tables"]
            yield Broken(
                rule.name, recorded.revision, f"{rule.why} ({', '.join(hard)})", rule.instead
            )


def _of(rule: str, recorded: Recorded, why: str, statement: str) -> Broken:
    instead = (
        "a helper of platform_kit.migrations for the change; docs/reference/migration-rules.md"
    )
    return Broken(rule, recorded.revision, why, instead, statement)


def _disagreeing(
    recorded: Recorded, statements: list[tuple[Statement, ...]], before: Schema
) -> Iterator[Broken]:
    """Yield where the lint would say another lock than was seen: it would be wrong elsewhere too."""
    schema = before.copy()
    said: dict[str, Lock] = {}
    transaction: int | None = None
    for each, parsed in zip(recorded.executed, statements, strict=True):
        if each.transaction != transaction:
            said, transaction = {}, each.transaction
        for statement in parsed:
            for table, lock in effect_of(statement.operations, schema).locks.items():
                if table not in said or said[table].strength < lock.strength:
                    said[table] = lock
            for renamed in statement.operations:
                if isinstance(renamed, Rename) and renamed.old in said:
                    said[renamed.new] = said[renamed.old]
            schema.apply(statement)
        unexpected = {t: lock for t, lock in each.locks.items() if _harder(lock, said.get(t))}
        if unexpected and each.transaction is not None:
            words = ", ".join(f"{lock} on {table}" for table, lock in sorted(unexpected.items()))
            yield _of("unforeseen-lock", recorded, f"PostgreSQL took {words}.", each.sql)


def _harder(lock: Lock, said: Lock | None) -> bool:
    """Whether a lock stops writers, and is harder than what was said."""
    return lock.stops_writers and (said is None or said.strength < lock.strength)


def _judged(
    recorded: Recorded,
    statements: list[tuple[Statement, ...]],
    phase: str,
    schema: Schema,
    find: Find,
    parse: Parse,
) -> Iterator[Broken]:
    """Yield what the lint says; a helper's statements were proven with the helper."""
    listed: list[Statement] = []
    authors: list[str] = []
    transaction: int | None = None
    for each, parsed in zip(recorded.executed, statements, strict=True):
        if each.transaction != transaction:
            words = ["COMMIT"] * (transaction is not None) + ["BEGIN"] * (
                each.transaction is not None
            )
            for word in words:
                listed += parse(word)
                authors.append("runner")
            transaction = each.transaction
        listed += parsed
        authors += [each.author] * len(parsed)
    if transaction is not None:
        listed += parse("COMMIT")
        authors.append("runner")
    findings = find([statement.text for statement in listed])
    verdicts = judge(tuple(listed), findings, before=schema, phase=phase)
    for verdict, author in zip(verdicts, authors, strict=True):
        if verdict.rule is None or author != "revision" or verdict.rule in GUARDED:
            continue
        rule = BY_NAME[verdict.rule]
        yield Broken(rule.name, recorded.revision, rule.why, rule.instead, verdict.statement)
