"""Alembic runs this file: the kit knows how."""

from platform_kit import migrations

migrations.run_environment()
