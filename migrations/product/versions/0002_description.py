"""A description a product. 1.0.0 does not know the column: its inserts get the default."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A constant default is kept in the catalogue: no rewrite, the lock lasts a millisecond.
    op.add_column("products", sa.Column("description", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("products", "description")
