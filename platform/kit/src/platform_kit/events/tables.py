"""The two tables, as a service declares them among its own. Its revisions make them, column by column."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB


def outbox_table(metadata: MetaData) -> Table:
    """Declare the table of events that the consumer has not confirmed yet: small, as what is confirmed is deleted.

    `number` is the order of writing, `due_at` when it is tried next, `trace` the headers that tie it to the
    request that wrote it.
    """
    return Table(
        "outbox",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("number", BigInteger, Identity(), nullable=False),
        Column("type", Text, nullable=False),
        Column("version", Integer, nullable=False),
        Column("key", Text, nullable=False),
        Column("data", JSONB, nullable=False),
        Column("trace", JSONB, nullable=False),
        Column("written_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("due_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Index("outbox_due", "due_at"),
        Index("outbox_of_key", "key", "number"),
    )


def inbox_table(metadata: MetaData) -> Table:
    """Declare the table of events that have had their effect."""
    return Table(
        "inbox",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("type", Text, nullable=False),
        Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
        Index("inbox_by_age", "received_at"),
    )
