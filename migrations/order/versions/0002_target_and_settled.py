"""Where an order goes, and whether it is there, for the one status.

1.0.0 keeps the status as any text, and one word of it says two things: what becomes of the order, and
whether work is left. So whoever looks for work has to list words. 1.1.0 asks `settled`, and of where an
order goes the database takes three values only. 1.0.0 goes on with its status; a trigger keeps them equal.
"""

import sqlalchemy as sa

from platform_kit import migrations

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NEW = {"target_status": sa.String(16), "settled": sa.Boolean}


def upgrade() -> None:
    # A word that is none of 1.0.0's is left alone by its sweeper: so it is settled.
    migrations.split_column(
        "orders",
        "status",
        NEW,
        forward={
            "target_status": "CASE {status} WHEN 'releasing' THEN 'gone' WHEN 'cancelling' THEN 'cancelled'"
            " WHEN 'cancelled' THEN 'cancelled' ELSE 'placed' END",
            "settled": "{status} NOT IN ('pending', 'releasing', 'cancelling')",
        },
        backward="CASE {target_status} WHEN 'gone' THEN 'releasing'"
        " WHEN 'cancelled' THEN CASE WHEN {settled} THEN 'cancelled' ELSE 'cancelling' END"
        " ELSE CASE WHEN {settled} THEN 'placed' ELSE 'pending' END END",
    )
    migrations.add_check(
        "orders", "orders_target_status", "target_status IN ('placed', 'gone', 'cancelled')"
    )
    migrations.create_index("orders_to_settle", "orders", ["touched_at"], where="NOT settled")
    migrations.create_index(
        "orders_shown",
        "orders",
        ["customer", "created_at", "id"],
        where="settled OR target_status = 'cancelled'",
    )


def downgrade() -> None:
    # With the columns go their check and their indexes.
    migrations.undo_dual_write("orders", ["status"], list(NEW))
