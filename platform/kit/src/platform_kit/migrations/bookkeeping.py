"""What runs keep in a service's database, beside its tables: one PostgreSQL schema, `platform_kit`.

`backfills` says how far each is: its line is written in the transaction of the batch, so a killed run goes on where
it was. `shadows` says what a contract took away, where it is kept, and until when. Their own schema keeps them, the
shadow tables and the triggers' functions out of the way of what a service compares with its code.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    MetaData,
    Table,
    Text,
    func,
    inspect,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.schema import CreateSchema

from platform_kit.schema import metadata as served
from platform_kit.schema import schema_history

SCHEMA = "platform_kit"

metadata = MetaData(schema=SCHEMA)

backfills = Table(
    "backfills",
    metadata,
    Column("name", Text, primary_key=True),
    Column("revision", Text, nullable=False),
    Column("position", JSONB),  # the last key that was done, each column as text
    Column("rows", BigInteger, nullable=False, server_default="0"),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("finished_at", DateTime(timezone=True)),
)

shadows = Table(
    "shadows",
    metadata,
    Column("name", Text, primary_key=True),  # of the table in the schema that keeps the data
    Column("source", Text, nullable=False),  # what it was: table, or table.column
    Column("revision", Text, nullable=False),
    Column("kept_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

# One row, written by whoever wants to know how long a write takes.
probes = Table(
    "probes",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("writes", BigInteger, nullable=False),
)


def keep_books(connection: Connection) -> None:
    """Make what is missing. An older runner's `schema_history` gets its new column, and keeps its lines."""
    served.create_all(connection)
    there = inspect(connection)
    columns = {column["name"] for column in there.get_columns(schema_history.name)}
    if "oldest_release" not in columns:
        connection.exec_driver_sql("ALTER TABLE schema_history ADD COLUMN oldest_release text")
    if not there.has_schema(SCHEMA):
        connection.execute(CreateSchema(SCHEMA))
    metadata.create_all(connection)
    connection.execute(insert(probes).values(id=1, writes=0).on_conflict_do_nothing())
