"""A given and a family name for the one name. 1.0.0 goes on with that one; a trigger keeps them equal."""

import sqlalchemy as sa

from platform_kit import migrations

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NEW = {"given_name": sa.Text, "family_name": sa.Text}


def upgrade() -> None:
    # As the code does it: up to the first space, and what comes after. Together they are the name again.
    migrations.split_column(
        "profiles",
        "name",
        NEW,
        forward={
            "given_name": "split_part({name}, ' ', 1)",
            "family_name": "substr({name}, length(split_part({name}, ' ', 1)) + 2)",
        },
        backward="rtrim({given_name} || ' ' || {family_name})",
    )


def downgrade() -> None:
    migrations.undo_dual_write("profiles", ["name"], list(NEW))
