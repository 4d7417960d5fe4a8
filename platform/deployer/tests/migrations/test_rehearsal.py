"""A rehearsal on real PostgreSQL: what is cheap passes, what would hold up production is stopped and named."""

from __future__ import annotations

import sys

import pytest
from seeds import Seed, plant, seeds

from deployer.environment import GeneratedRows
from deployer.errors import InputError
from deployer.migrations.budget import Budget
from deployer.migrations.declared import read_folder
from deployer.migrations.rehearsal import Rehearsal, pending
from deployer.model import ServiceName
from deployer.targets.local.postgres import Postgres

pytestmark = pytest.mark.integration

PRODUCT = ServiceName("product")
# Wide enough for a busy machine: a moment is a millisecond, what is stopped takes seconds there.
BUDGET = Budget(lock_seconds=0.4, duration_seconds=120)
NOTHING = GeneratedRows()
BY_KIND = {seed.kind: seed.text for seed in (*seeds("breaking"), *seeds("safe"))}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    postgres = Postgres(tmp_path_factory.mktemp("rehearsal"))
    yield postgres
    postgres.down()


@pytest.fixture
def rehearse(server, tmp_path):
    """Rehearse a seed on top of product's history, with so many rows a table."""

    def python(root):
        program = root / "python"
        source = root / "services/product/src"
        program.write_text(f'#!/bin/sh\nPYTHONPATH={source} exec {sys.executable} "$@"\n')
        program.chmod(0o755)
        return program

    def rehearse(text, *, rows=2_000, budget=BUDGET, declared=NOTHING):
        folders = [plant(Seed("seed", None, text), tmp_path / each) for each in ("older", "newer")]
        (folders[0] / "versions/0003_seed.py").unlink()
        older, newer = (read_folder(folder) for folder in folders)
        assert pending(older, newer) == ("0003",)
        rehearsal = Rehearsal(
            PRODUCT,
            python(tmp_path / "newer"),
            python(tmp_path / "older"),
            server,
            tmp_path,
            budget,
        )
        return rehearsal.rehearse("product@1.1.0", (older, newer), declared, lambda _: rows)

    return rehearse


def executing(statement):
    """A revision that runs a statement of its own."""
    column = BY_KIND["a nullable column"]
    begins = column.index("def upgrade()")
    return f'{column[:begins]}def upgrade() -> None:\n    op.execute("""{statement}""")\n'


def test_a_column_is_added_in_a_moment(rehearse):
    """Every statement has a row, with its lock and times; somebody wrote beside it."""
    rehearsed = rehearse(BY_KIND["a nullable column"])
    (run,) = rehearsed.runs
    added = next(step for step in rehearsed.steps if step.lock == "ACCESS EXCLUSIVE")

    assert rehearsed.ok
    assert {filled.table: filled.rows for filled in rehearsed.filled} == dict.fromkeys(
        ("products", "reservation_items", "reservations"), 2_000
    )
    assert (added.revision, added.phase, added.tables) == ("0003", "expand", ("products",))
    assert 0 < added.seconds < added.held_seconds < run.seconds
    assert run.writes > 0
    assert 0 < run.slowest_write_seconds < run.seconds


def test_a_table_that_is_rewritten_is_over_budget(rehearse):
    """The negative control: on as many rows as here it holds up everybody, and is named."""
    rehearsed = rehearse(
        BY_KIND["a type that is rewritten"],
        rows=60_000,
        budget=Budget(lock_seconds=0.05, duration_seconds=120),
    )
    (over,) = rehearsed.over

    assert not rehearsed.ok
    assert (over.budget, over.revision) == ("lock", "0003")
    assert "ALTER COLUMN price TYPE NUMERIC(12, 4)" in over.statement
    assert "held ACCESS EXCLUSIVE on products for" in over.why
    assert rehearsed.runs[0].slowest_write_seconds > 0.05


def test_the_same_change_of_a_table_with_few_rows_is_not(rehearse):
    """So it is the rows that decide, and not the statement."""
    rehearsed = rehearse(BY_KIND["a type that is rewritten"], rows=10)

    assert rehearsed.over == ()


def test_what_the_runner_cancels_is_over_budget(rehearse):
    """It holds its lock for five seconds, which is what the runner allows."""
    slow = "DO $$ BEGIN LOCK TABLE products; PERFORM pg_sleep(60); END $$"
    (over,) = rehearse(executing(slow)).over

    assert (over.budget, over.statement) == ("lock", slow)
    assert over.why == "held its lock until the runner cancelled it"


def test_a_phase_that_takes_too_long_is_stopped(rehearse):
    """At the budget; what was at work is named."""
    slow = "SELECT pg_sleep(600)"
    # The time counts from the runner's start, which takes 2 s, and more on a busy machine.
    budget = Budget(lock_seconds=0.4, duration_seconds=12)
    rehearsed = rehearse(executing(slow), budget=budget)
    (over,) = rehearsed.over

    assert (over.budget, over.statement) == ("duration", slow)
    assert 12 <= rehearsed.runs[0].seconds < 120


def test_a_write_that_is_refused_is_told(rehearse):
    """Old code writes while the change is made, and after it."""
    refusing = """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE 'not any more'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON products FOR EACH ROW EXECUTE FUNCTION refuse();
        COMMIT; SELECT pg_sleep(2); BEGIN
    """
    rehearsed = rehearse(executing(refusing))

    assert not rehearsed.ok
    assert rehearsed.runs[0].refused == "products: not any more"


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"rows": {"product": 5}}, "there is no table 'product'"),
        ({"generators": {"products": {"hue": "'red'"}}}, "products has no column 'hue'"),
    ],
)
def test_a_size_of_nothing_is_misuse(rehearse, declared, words):
    """The rehearsal would have had another size than its author thinks."""
    with pytest.raises(InputError, match=words) as refused:
        rehearse(BY_KIND["a nullable column"], declared=GeneratedRows.model_validate(declared))

    assert refused.value.code == "rows-unknown"
    assert "products" in refused.value.hint or "sku" in refused.value.hint


def test_a_table_that_the_change_brings_may_be_declared(rehearse):
    """It is empty here, and will not be by the next."""
    declared = GeneratedRows(rows={"brands": 100})
    rehearsed = rehearse(
        executing("CREATE TABLE brands (id bigint PRIMARY KEY)"), declared=declared
    )

    assert rehearsed.ok
    assert "brands" not in {filled.table for filled in rehearsed.filled}
