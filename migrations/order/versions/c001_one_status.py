"""The one status goes, with its indexes: since 1.1.0 nobody asks for it. Its values stay in a shadow until then."""

from datetime import date

from platform_kit import migrations

revision = "c001"
down_revision = None
branch_labels = ("contract",)
depends_on = "0002"
oldest_release = "1.1.0"


def upgrade() -> None:
    migrations.drop_index("orders_unsettled")
    migrations.drop_index("orders_of_customer")
    migrations.end_dual_write(
        "orders", ["status"], ["target_status", "settled"], keep_until=date(2027, 6, 30)
    )
