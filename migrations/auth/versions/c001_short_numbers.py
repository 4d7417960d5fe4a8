"""The short numbers go, and the long ones are the key: since 1.1.0 nobody writes the others."""

from datetime import date

from platform_kit import migrations

revision = "c001"
down_revision = None
branch_labels = ("contract",)
depends_on = "0002"
oldest_release = "1.1.0"


def upgrade() -> None:
    migrations.replace_primary_key("signing_keys", ["serial"])
    migrations.end_dual_write("signing_keys", ["number"], ["serial"], keep_until=date(2027, 6, 30))
