"""A category a product, with an index for the catalogue of one. None until it was said."""

import sqlalchemy as sa

from platform_kit import migrations

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    migrations.add_column("products", sa.Column("category", sa.Text))
    migrations.create_index("products_category", "products", ["category", "id"])


def downgrade() -> None:
    migrations.undo_add_column("products", "category")
