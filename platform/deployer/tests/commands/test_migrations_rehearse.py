"""`migrations rehearse` on a real checkout: the last recorded release's schema, and the tree's change of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from checkouts import git, set_version
from click.testing import CliRunner
from shopfront import PRODUCT

from deployer.cli.main import program
from deployer.commands.context import open_context
from deployer.commands.migrations_rehearse import rehearse, require_within_budget
from deployer.errors import OperationError
from deployer.migrations.budget import Budget
from deployer.migrations.rehearsal import Rehearsed, Run

SIZES = re.compile(r"(\[tool\.deployer\.migrations\.rows\]\n)(\w+ = [\d_]+\n)+")
REWRITING = '''"""Prices with four digits."""

from alembic import op

revision = "0900"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade():
    op.execute("ALTER TABLE products ALTER COLUMN stock TYPE numeric")
'''


@pytest.fixture
def released(checkout: Path) -> Path:
    """A checkout whose service has a recorded release, and is at the next version."""
    record = f'[[release]]\nversion = "1.0.0"\ncommit = "{git(checkout, "rev-parse", "HEAD")}"\n'
    (checkout / "services/product/releases.toml").write_text(record)
    set_version(checkout, "1.1.0")
    return checkout


def change_prices(checkout: Path) -> None:
    """Let the next version rewrite a table."""
    (checkout / "migrations/product/versions/0900.py").write_text(REWRITING)
    project = checkout / "services/product/pyproject.toml"
    project.write_text(SIZES.sub(r"\1products = 60_000\n", project.read_text()))
    policy = "\n[migrations]\nlock_budget_ms = 20\nrows = 10\n"
    environment = checkout / "environments/local.toml"
    environment.write_text(environment.read_text() + policy)
    git(checkout, "add", "--all")
    set_version(checkout, "1.1.0")


@pytest.mark.integration
def test_a_change_over_budget_ends_with_1_and_names_the_statement(released: Path, monkeypatch):
    """By the sizes that the service declares and the budget of the environment; the rest is the environment's."""
    change_prices(released)
    monkeypatch.chdir(released)
    done = CliRunner().invoke(program, ["migrations", "rehearse", "product", "--json"])
    told = json.loads(done.stdout)

    assert done.exit_code == 1
    assert "error[over-budget]: 0900: ALTER TABLE products ALTER COLUMN stock" in done.stderr
    assert "over the budget of 20 ms" in done.stderr
    assert (told["ok"], told["older"]) == (False, "product@1.0.0")
    assert {filled["table"]: filled["rows"] for filled in told["filled"]} == {
        "inbox": 10,
        "product_prices": 10,
        "products": 60_000,
        "reservation_items": 10,
        "reservations": 10,
    }
    assert [step["lock"] for step in told["steps"]] == ["ACCESS EXCLUSIVE"]


@pytest.mark.integration
def test_a_release_without_a_schema_change_has_nothing_to_rehearse(released: Path, monkeypatch):
    """It says so, and is done."""
    monkeypatch.chdir(released)
    done = CliRunner().invoke(program, ["migrations", "rehearse", "product"])

    assert (done.exit_code, done.stdout) == (
        0,
        "no schema is changed since product@1.0.0: nothing to rehearse\n",
    )


def test_a_first_release_has_nothing_to_rehearse(checkout: Path):
    """Its tables are new: nobody waits for them."""
    rehearsed = rehearse(open_context(checkout, "local"), PRODUCT)

    assert (rehearsed.older, rehearsed.runs, rehearsed.ok) == (None, (), True)


def test_a_refused_write_is_an_error():
    """Nothing was over budget, and yet old code could not go on."""
    run = Run("expand", 1.0, 10, 0.01, "products: not any more")
    with pytest.raises(OperationError, match="products: not any more") as refused:
        require_within_budget(Rehearsed("product", "product@1.0.0", Budget(1, 1), runs=(run,)))

    assert refused.value.code == "write-refused"
