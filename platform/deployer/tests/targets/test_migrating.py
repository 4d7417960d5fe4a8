"""The migration step of a release that is older than the schema, and what is told when a step fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from checkouts import git, set_version
from shopfront import PRODUCT, wanted

from deployer.commands.context import Context
from deployer.commands.release import build_release
from deployer.errors import OperationError
from deployer.model import Release
from deployer.targets.migrating import migration_failure

RELEASE = Release(PRODUCT, "1.0.0", "a" * 64)
EXPAND = '''"""A colour."""

from alembic import op

revision = "0900"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE products ADD COLUMN colour text")
'''
CONTRACT = '''"""The description is gone."""

revision = "0101"
down_revision = None
branch_labels = ("contract",)
depends_on = "0900"
oldest_release = "1.1.0"


def upgrade():
    pass
'''


@pytest.fixture
def newer(context: Context, checkout: Path) -> Callable[[str], Release]:
    """Build 1.1.0 with revisions of its own, and apply them."""

    def newer(*phases: str) -> Release:
        versions = checkout / "migrations/product/versions"
        (versions / "0900.py").write_text(EXPAND)
        (versions / "0101.py").write_text(CONTRACT)
        git(checkout, "add", "--all")
        set_version(checkout, "1.1.0")
        release = build_release(context, wanted())
        context.local.postgres.up((PRODUCT,))
        for phase in phases:
            context.target.migrate(release, phase=phase)
        return release

    return newer


@pytest.mark.integration
def test_an_older_release_migrates_nothing_where_it_is_served(context: Context, newer):
    """The schema has all that it needs, and nothing was taken away."""
    older = build_release(context, wanted())
    newer("expand")

    assert context.target.migrate(older, phase="expand") == ()


@pytest.mark.integration
def test_an_older_release_is_refused_where_a_contract_has_gone_past_it(context: Context, newer):
    """With what it would miss, and the way back that needs no migration."""
    older = build_release(context, wanted())
    newer("expand", "contract")
    with pytest.raises(OperationError) as refused:
        context.target.migrate(older, phase="expand")

    assert refused.value.code == "schema-ahead"
    assert "it serves releases from 1.1.0 on, this is 1.0.0" in refused.value.cause
    assert "deployer rollback product --to VERSION" in refused.value.hint


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((json.dumps({"kind": "SchemaAhead", "error": "0900 is applied\nhint: ..."}),), "ahead"),
        ((json.dumps({"error": "Can't locate revision identified by '0900'"}),), "ahead"),
        ((json.dumps({"kind": "LockUnavailable", "error": "no lock"}),), "failed"),
        (("Killed",), "failed"),
        (("3",), "failed"),
        ((), "failed"),
    ],
)
def test_a_failure_is_told_by_the_runners_last_line(lines, code):
    """Also by that of a kit from before there was a word for it; anything else failed, whatever it says."""
    told = migration_failure(RELEASE, "the migrations", lines)

    assert told.code == {"ahead": "schema-ahead", "failed": "migration-failed"}[code]
    assert told.details == lines
    assert "hint" not in told.cause
