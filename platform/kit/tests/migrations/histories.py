"""A service's history as in a checkout, written by a test, and the programs that run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import indent

ENVIRONMENT = "from platform_kit import migrations\n\nmigrations.run_environment()\n"
REVISION = """
from datetime import date

import sqlalchemy as sa
from alembic import op

from platform_kit import migrations

revision = {name!r}
down_revision = {after!r}
branch_labels = {labels!r}
depends_on = {depends!r}
{window}


def upgrade():
{body}
"""
DOWNGRADE = """

def downgrade():
{undo}
"""
THINGS = """
op.create_table(
    "things",
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("name", sa.Text, nullable=False, server_default="unnamed"),
    sa.Column("price", sa.Numeric(12, 2)),
)
"""


class History:
    """A service's folder of revisions: services/shop/src/shop and migrations/shop."""

    def __init__(self, root: Path) -> None:
        package = root / "services" / "shop" / "src" / "shop"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        self.source = package.parent
        self.folder = root / "migrations" / "shop"
        (self.folder / "versions").mkdir(parents=True)
        (self.folder / "env.py").write_text(ENVIRONMENT)

    def add(
        self,
        name,
        body,
        *,
        after=None,
        label=None,
        depends=None,
        undo="pass",
        oldest_release="1.1.0",
    ):
        """Write a revision; one on the contract branch declares its window, and has no way back."""
        contract = label == "contract" or name.startswith("c")
        code = REVISION.format(
            name=name,
            after=after,
            labels=(label,) if label else None,
            depends=depends,
            window=f"oldest_release = {oldest_release!r}" if contract and oldest_release else "",
            body=indent(body.strip("\n"), "    "),
        )
        if not contract:
            code += DOWNGRADE.format(undo=indent(undo.strip("\n"), "    "))
        (self.folder / "versions" / f"{name}.py").write_text(code)

    def expand(self, body, *, undo="pass"):
        """Write the expand revision after the first."""
        self.add("0002", body, after="0001", undo=undo)

    def contract(self, body, **options):
        """Write the first contract revision, which needs that one."""
        self.add("c001", body, label="contract", depends="0002", **options)

    def run(self, database_url, *options, file=""):
        """Run the program; return its exit code and both outputs."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.source),
            "SHOP_DATABASE_URL": database_url,
            "SHOP_DATABASE_URL_FILE": str(file),
        }
        command = [sys.executable, "-m", "platform_kit.migrations", "shop", *options]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr


def events(err):
    """Return what a run has told, without its error."""
    lines = [json.loads(line) for line in err.splitlines()]
    return [line for line in lines if "event" in line]
