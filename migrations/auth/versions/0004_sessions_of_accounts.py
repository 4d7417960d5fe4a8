"""A session belongs to an account. In a revision of its own: with its table it would hold up who registers."""

from platform_kit import migrations

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    migrations.add_foreign_key(
        "sessions",
        "sessions_account",
        ["account_id"],
        refers_to="accounts",
        on_delete="CASCADE",
    )


def downgrade() -> None:
    migrations.drop_constraint("sessions", "sessions_account")
