"""The decimal price goes: since 1.2.0 nobody writes it. Its values stay in a shadow until then."""

from datetime import date

from platform_kit import migrations

revision = "c001"
down_revision = None
branch_labels = ("contract",)
depends_on = "0003"
oldest_release = "1.2.0"


def upgrade() -> None:
    migrations.end_dual_write("products", ["price"], ["price_cents"], keep_until=date(2027, 6, 30))
