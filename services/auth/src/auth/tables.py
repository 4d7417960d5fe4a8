"""The tables of auth's database, as the newest revision in migrations/auth leaves them."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)

metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("email", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("email", name="accounts_email"),
)

# The serial orders the keys: the highest one signs, all of them are published.
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("serial", BigInteger, primary_key=True, autoincrement=False),
    Column("kid", Text, nullable=False),
    Column("private_key", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("kid", name="signing_keys_kid"),
)
