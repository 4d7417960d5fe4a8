"""The tables of user's database, as the newest revision in migrations/user leaves them."""

from sqlalchemy import Column, DateTime, MetaData, Table, Text, func

metadata = MetaData()

# The id is the subject of the customer's token: auth's, and opaque here.
profiles = Table(
    "profiles",
    metadata,
    Column("id", Text, primary_key=True),
    Column("given_name", Text, nullable=False),
    Column("family_name", Text, nullable=False),
    Column("language", Text),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
