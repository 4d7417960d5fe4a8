"""The table in a service's database that says which revisions were applied, and the check that reads it.

A release runs on a schema that has the oldest revision it needs, and from which no contract has taken what it uses.
The first it declares; for the second every contract declares the oldest release that runs on what it leaves.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Column, DateTime, MetaData, Table, Text, func, text
from sqlalchemy.exc import ProgrammingError

from platform_kit.database import Database
from platform_kit.readiness import Check
from platform_kit.versions import precedence

metadata = MetaData()

# `oldest_release` is the oldest release that the schema serves since this revision; NULL is every one.
schema_history = Table(
    "schema_history",
    metadata,
    Column("revision", Text, primary_key=True),
    Column("phase", Text, nullable=False),
    Column("applied_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("oldest_release", Text),
)

# By way of jsonb: a table that an older runner made has no such column, and is no error.
_APPLIED = text("""
SELECT revision, phase, to_jsonb(applied) ->> 'oldest_release' AS oldest_release
FROM schema_history AS applied ORDER BY applied_at, revision
""")


@dataclass(frozen=True, slots=True)
class Applied:
    """A revision of the live schema."""

    revision: str
    phase: str
    oldest_release: str | None


@dataclass(frozen=True, slots=True)
class Needs:
    """What a release can say of the schema: the oldest revision it runs on, and those it knows."""

    oldest: str
    version: str = "0.0.0"
    known: frozenset[str] = frozenset()


def unserved(needs: Needs, live: Collection[Applied]) -> str | None:
    """Return why the live schema does not serve the release, None when it does.

    A contract that the release itself brings was written with its code, whatever number that has:
    only one that came later is measured by the version.
    """
    if needs.oldest not in {applied.revision for applied in live}:
        return f"revision {needs.oldest} is not applied"
    for applied in live:
        if applied.phase != "contract" or applied.revision in needs.known:
            continue
        oldest = applied.oldest_release
        if oldest is not None and precedence(needs.version) < precedence(oldest):
            return (
                f"contract {applied.revision} is applied: it serves releases from {oldest} on, "
                f"this is {needs.version}"
            )
    return None


def schema_check(database: Database, needs: Needs) -> Check:
    """Return the check that the live schema serves this release."""

    def ask() -> str:
        reason = unserved(needs, applied(database))
        if reason is not None:
            raise LookupError(reason)
        return f"revision {needs.oldest} is applied"

    return Check("schema", ask)


def applied(database: Database) -> tuple[Applied, ...]:
    """Return the revisions of the live schema in their order; none where no migration ever ran."""
    try:
        with database.checking() as connection:
            return tuple(Applied(*row) for row in connection.execute(_APPLIED))
    except ProgrammingError:  # the table is not there yet
        return ()


def oldest_release(live: Collection[Applied]) -> str | None:
    """Return the oldest release that the live schema serves, None when it serves every one."""
    windows = [applied.oldest_release for applied in live if applied.oldest_release is not None]
    return max(windows, key=precedence, default=None)
