"""Sessions with their refresh tokens, roles, a count of failed logins, credentials of services, and keys that wait their turn."""

import sqlalchemy as sa
from alembic import op

from platform_kit import migrations

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    migrations.add_column(
        "accounts", sa.Column("role", sa.Text, nullable=False, server_default="customer")
    )
    migrations.add_check("accounts", "accounts_role", "role IN ('customer', 'admin')")
    # NULL for the keys of 1.2.0 and before, which sign from the moment they are made.
    migrations.add_column("signing_keys", sa.Column("signs_since", sa.DateTime(timezone=True)))
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("account_id", sa.Uuid, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("sessions_of_account", "sessions", ["account_id", "refreshed_at"])
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column(
            "session_id", sa.Uuid, sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
    )
    op.create_index("refresh_tokens_of_session", "refresh_tokens", ["session_id"])
    op.create_table(
        "failed_attempts",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("leaks_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True)),
    )
    op.create_index("failed_attempts_by_age", "failed_attempts", ["leaks_from"])
    op.create_table(
        "service_credentials",
        sa.Column("service", sa.Text, primary_key=True),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        ),
    )


def downgrade() -> None:
    migrations.undo_add_column("signing_keys", "signs_since")
    migrations.undo_add_column("accounts", "role")
    for table in ("service_credentials", "failed_attempts", "refresh_tokens", "sessions"):
        op.drop_table(table)
