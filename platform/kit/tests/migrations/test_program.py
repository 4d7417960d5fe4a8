"""What the program answers besides applying: what it would do, what is declared, and what it takes back."""

import json

import pytest

from platform_kit.errors import RevertRefused, WindowUndeclared
from platform_kit.migrations import plan, revert

pytestmark = pytest.mark.integration

HISTORY = """
SELECT revision, phase, oldest_release FROM schema_history ORDER BY applied_at
"""
COLUMN = 'migrations.add_column("things", sa.Column("{0}", sa.Text))'
UNDO = 'migrations.undo_add_column("things", "{0}")'


@pytest.fixture
def four(history, apply):
    """Three expand revisions and a contract that needs the second of them."""
    history.add("0002", COLUMN.format("a"), after="0001", undo=UNDO.format("a"))
    history.add("0003", COLUMN.format("b"), after="0002", undo=UNDO.format("b"))
    history.add("c001", "pass", label="contract", depends="0002", oldest_release="1.2.0")


def test_a_dry_run_says_what_it_would_do(four, history, database_url, rows):
    """On a database where nothing ever ran, and leaves it so."""
    code, out, err = history.run(database_url, "--dry-run")

    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "service": "shop",
        "phase": "expand",
        "before": [],
        "applied": [],
        "oldest_release": None,
        "pending": ["0001", "0002", "0003"],
        "sql": None,
    }
    assert rows("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [
        (0,)
    ]


def test_a_dry_run_of_contract_has_what_it_needs(four, apply, database_url):
    """And after the run there is nothing left."""
    apply()
    before = plan("shop", phase="contract", database_url=database_url)
    apply("contract")
    after = plan("shop", phase="contract", database_url=database_url)

    assert (before.pending, after.pending) == (["c001"], [])
    assert (before.oldest_release, after.oldest_release) == (None, "1.2.0")
    assert after.applied == ["0001", "0002", "0003", "c001"]


def test_the_history_is_described_without_a_database(four, history):
    """What the deployer's gate reads."""
    (history.folder / "schema.toml").write_text('needs = "0002"\n')
    code, out, _ = history.run("", "--describe")
    described = json.loads(out)

    assert code == 0
    assert described["needs"] == "0002"
    assert described["heads"] == {"expand": "0003", "contract": "c001"}
    assert described["revisions"][-1] == {
        "revision": "c001",
        "phase": "contract",
        "down": [],
        "depends_on": ["0002"],
        "oldest_release": "1.2.0",
        "summary": "",
    }


def test_what_each_revision_serves_is_recorded(four, apply, rows):
    """Every release before the contract; from its own on after it, also in later expands."""
    apply()
    done = apply("contract")

    assert done.oldest_release == "1.2.0"
    assert rows(HISTORY) == [
        ("0001", "expand", None),
        ("0002", "expand", None),
        ("0003", "expand", None),
        ("c001", "contract", "1.2.0"),
    ]


def test_a_later_expand_serves_no_more_than_the_contract_left(four, history, apply, rows):
    """And a contract that asks for less takes nothing back."""
    apply()
    apply("contract")
    history.add("0004", "pass", after="0003")
    history.add("c002", "pass", after="c001", oldest_release="1.1.9")
    apply()
    apply("contract")

    assert rows(HISTORY)[-2:] == [("0004", "expand", "1.2.0"), ("c002", "contract", "1.2.0")]


def test_a_contract_without_a_window_is_refused(history, apply, things, rows):
    """Nobody could say which releases it ends."""
    things(1)
    history.expand("pass")
    history.contract("pass", oldest_release=None)
    with pytest.raises(WindowUndeclared, match="c001 declares no oldest_release"):
        apply("contract")

    assert rows("SELECT count(*) FROM schema_history WHERE phase = 'contract'") == [(0,)]


def test_a_table_of_an_older_runner_is_kept_and_extended(history, apply, rows):
    """Its lines count; its new column is empty: every release."""
    rows(
        "CREATE TABLE schema_history (revision text PRIMARY KEY, phase text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    rows("INSERT INTO schema_history VALUES ('0001', 'expand', now() - interval '1 year')")
    rows("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    rows("INSERT INTO alembic_version VALUES ('0001')")
    history.add("0002", "pass", after="0001")
    done = apply()

    assert done.applied == ["0002"]
    assert rows(HISTORY) == [("0001", "expand", None), ("0002", "expand", None)]


def test_expand_revisions_are_taken_back_newest_first(four, history, apply, database_url, rows):
    """By the program: one JSON object."""
    apply()
    code, out, err = history.run(database_url, "--revert-to", "0001")
    done = json.loads(out)

    assert (code, err) == (0, "")
    assert (done["before"], done["after"], done["reverted"]) == (
        ["0003"],
        ["0001"],
        ["0003", "0002"],
    )
    assert rows(HISTORY) == [("0001", "expand", None)]


def test_what_a_contract_does_not_need_can_be_taken_back(four, apply, database_url, rows):
    """The expand after the one it depends on."""
    apply()
    apply("contract")
    done = revert("shop", to="0002", database_url=database_url)

    assert done.reverted == ["0003"]
    assert (done.after, done.oldest_release) == (["c001"], "1.2.0")


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("0001", "contract c001 depends on what would go"),
        ("c001", "c001 is a contract revision"),
        ("0009", "revision 0009 is not applied"),
    ],
)
def test_what_cannot_be_taken_back_is_refused(four, apply, database_url, rows, to, words):
    """Before anything is done."""
    apply()
    apply("contract")
    before = rows(HISTORY)
    with pytest.raises(RevertRefused, match=words) as refused:
        revert("shop", to=to, database_url=database_url)

    assert "hint: " in str(refused.value)
    assert rows(HISTORY) == before


def test_a_downgrade_that_gets_no_lock_changes_nothing(four, history, apply, database_url, rows):
    """It is guarded as an upgrade is."""
    import psycopg

    apply()
    with psycopg.connect(database_url) as holder:
        holder.execute("SELECT * FROM things")
        code, _, err = history.run(database_url, "--revert-to", "0002", "--patience", "0.5")

    assert code == 1
    assert json.loads(err.splitlines()[-1])["kind"] == "LockUnavailable"
    assert len(rows(HISTORY)) == 3
