"""The one name goes: since 1.1.0 nobody writes it. Its values stay in a shadow until then."""

from datetime import date

from platform_kit import migrations

revision = "c001"
down_revision = None
branch_labels = ("contract",)
depends_on = "0002"
oldest_release = "1.1.0"


def upgrade() -> None:
    migrations.end_dual_write(
        "profiles", ["name"], ["given_name", "family_name"], keep_until=date(2027, 6, 30)
    )
