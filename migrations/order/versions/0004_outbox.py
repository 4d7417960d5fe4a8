"""The outbox: events that are written with a change and kept until they are delivered. 1.1.0 does not know it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    now = sa.func.now()
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("number", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("data", postgresql.JSONB, nullable=False),
        sa.Column("trace", postgresql.JSONB, nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, server_default=now),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_index("outbox_due", "outbox", ["due_at"])
    op.create_index("outbox_of_key", "outbox", ["key", "number"])


def downgrade() -> None:
    # An order whose event goes with the table is unsettled: without the time, any release's sweeper takes it for its own.
    op.execute("UPDATE orders SET cancelled_at = NULL WHERE NOT settled")
    op.drop_table("outbox")
