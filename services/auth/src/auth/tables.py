"""The tables of auth's database, as the newest revision in migrations/auth leaves them."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
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
    Column("role", Text, nullable=False, server_default="customer"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("email", name="accounts_email"),
    CheckConstraint("role IN ('customer', 'admin')", name="accounts_role"),
)

# The serial orders the keys: the highest one signs, all of them are published. 0 is the next one,
# which waits for its turn: below all others, so that a slot with an older release does not sign with it either.
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("serial", BigInteger, primary_key=True, autoincrement=False),
    Column("kid", Text, nullable=False),
    Column("private_key", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("signs_since", DateTime(timezone=True)),
    UniqueConstraint("kid", name="signing_keys_kid"),
)

# A session is a family of refresh tokens: each was made for the one before, and the newest is the good one.
sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column(
        "account_id",
        Uuid,
        ForeignKey("accounts.id", name="sessions_account", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("refreshed_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Index("sessions_of_account", "account_id", "refreshed_at"),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("session_id", Uuid, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    Index("refresh_tokens_of_session", "session_id"),
)

# What has failed lately, a row an address of an account or of a client; the key is a hash, so that a copy of the table
# is no list of addresses.
failed_attempts = Table(
    "failed_attempts",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("leaks_from", DateTime(timezone=True), nullable=False),
    Column("locked_until", DateTime(timezone=True)),
    Index("failed_attempts_by_age", "leaks_from"),
)

service_credentials = Table(
    "service_credentials",
    metadata,
    Column("service", Text, primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
