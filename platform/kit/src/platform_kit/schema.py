"""The table in a service's database that says which revisions were applied, and the check that reads it."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, MetaData, Table, Text, func, select
from sqlalchemy.exc import ProgrammingError

from platform_kit.database import Database
from platform_kit.readiness import Check

metadata = MetaData()

schema_history = Table(
    "schema_history",
    metadata,
    Column("revision", Text, primary_key=True),
    Column("phase", Text, nullable=False),
    Column("applied_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


def schema_check(database: Database, oldest: str) -> Check:
    """Return the check that revision `oldest`, the least this code runs on, was applied."""
    wanted = select(schema_history.c.revision).where(schema_history.c.revision == oldest)

    def ask() -> str:
        try:
            with database.connect() as connection:
                found = connection.execute(wanted).scalar_one_or_none()
        except ProgrammingError:  # the table is not there yet
            found = None
        if found is None:
            raise LookupError(f"revision {oldest} is not applied")
        return f"revision {oldest} is applied"

    return Check("schema", ask)
