"""Columns that two releases know under two names: nothing that either writes is lost."""

import itertools
from decimal import Decimal

import pytest
from sqlalchemy.exc import DBAPIError
from writers import Writer

from platform_kit.errors import UnsafeChange, WrongPhase
from platform_kit.migrations import revert

pytestmark = pytest.mark.integration

RENAME = 'migrations.rename_column("things", "name", "title")'
CENTS = """
migrations.change_type(
    "things", "price", "cents", sa.BigInteger,
    forward="round({price} * 100)", backward="{cents} / 100.0",
)
"""
SPLIT = """
migrations.split_column(
    "things", "name", {"first": sa.Text, "rest": sa.Text},
    forward={"first": "split_part({name}, ' ', 1)", "rest": "substr({name}, strpos({name} || ' ', ' ') + 1)"},
    backward="trim({first} || ' ' || {rest})",
)
"""
MERGE = """
migrations.merge_columns(
    "things", ["name", "price"], "label", sa.Text,
    forward="{name} || '@' || coalesce({price}::text, '')",
    backward={"name": "split_part({label}, '@', 1)", "price": "nullif(split_part({label}, '@', 2), '')::numeric"},
)
"""


def end(old, new):
    return f'migrations.end_dual_write("things", {old}, {new}, keep_until=date(2999, 1, 1))'


@pytest.fixture
def renamed(history, things, apply):
    things(300)
    history.expand(RENAME, undo='migrations.undo_dual_write("things", ["name"], ["title"])')
    apply()


def test_rows_of_an_earlier_time_get_the_new_column(renamed, rows):
    """And it is NOT NULL, as the old one is."""
    assert rows("SELECT count(*) FROM things WHERE title IS DISTINCT FROM name") == [(0,)]
    assert rows(
        "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'things'::regclass AND attname = 'title'"
    ) == [(True,)]


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        ("INSERT INTO things (name) VALUES ('o') RETURNING name, title", ("o", "o")),
        ("INSERT INTO things (title) VALUES ('n') RETURNING name, title", ("n", "n")),
        ("INSERT INTO things (name, title) VALUES ('o', 'n') RETURNING name, title", ("n", "n")),
        ("INSERT INTO things DEFAULT VALUES RETURNING name, title", ("unnamed", "unnamed")),
        ("UPDATE things SET name = 'o' WHERE id = 1 RETURNING name, title", ("o", "o")),
        ("UPDATE things SET title = 'n' WHERE id = 1 RETURNING name, title", ("n", "n")),
        (
            "UPDATE things SET name = 'o', title = 'n' WHERE id = 1 RETURNING name, title",
            ("n", "n"),
        ),
        ("UPDATE things SET price = 0 WHERE id = 1 RETURNING name, title", ("thing 1", "thing 1")),
        (
            "INSERT INTO things (id, name) VALUES (1, 'again') ON CONFLICT (id) "  # noqa: ISC004
            "DO UPDATE SET name = EXCLUDED.name RETURNING name, title",
            ("again", "again"),
        ),
    ],
)
def test_whoever_writes_both_columns_have_it(renamed, rows, write, expected):
    """Old code one way, new code the other; the new column counts where both were written."""
    assert rows(write) == [expected]


def test_null_is_a_value_that_is_passed_on(history, things, apply, rows):
    """Both ways, on update."""
    things(20)
    history.expand(CENTS)
    apply()

    assert rows("UPDATE things SET price = NULL WHERE id = 1 RETURNING cents") == [(None,)]
    assert rows("UPDATE things SET cents = NULL WHERE id = 2 RETURNING price") == [(None,)]
    assert rows("UPDATE things SET cents = 125 WHERE id = 1 RETURNING price") == [
        (Decimal("1.25"),)
    ]
    assert rows("SELECT count(*) FROM things WHERE cents IS DISTINCT FROM price * 100") == [(0,)]


def test_a_conversion_that_is_not_exact_leaves_what_was_written(history, things, apply, rows):
    """Filling the new columns never changes the old one; what new code wrote never comes back changed."""
    things(20)
    rows("UPDATE things SET name = '  many   spaces ' WHERE id = 1")
    history.expand(SPLIT)
    apply()
    kept = rows("SELECT name FROM things WHERE id = 1")
    written = rows(
        "UPDATE things SET first = 'Anna Maria', rest = 'Berg' WHERE id = 2 RETURNING name, first, rest"
    )
    touched = rows("UPDATE things SET price = 1 WHERE id = 2 RETURNING name, first, rest")

    assert kept == [("  many   spaces ",)]
    assert written == touched == [("Anna Maria Berg", "Anna Maria", "Berg")]


def test_columns_are_merged_both_ways(history, things, apply, rows):
    """Each old column has its part of what new code wrote."""
    things(20)
    history.expand(MERGE)
    apply()

    assert rows("SELECT label FROM things WHERE id = 4") == [("thing 4@1.00",)]
    assert rows("UPDATE things SET label = 'x@2.5' WHERE id = 4 RETURNING name, price") == [
        ("x", Decimal("2.50"))
    ]
    assert rows("UPDATE things SET name = 'y' WHERE id = 4 RETURNING label") == [("y@2.50",)]


@pytest.mark.parametrize(
    ("body", "old", "new", "makes_old", "makes_new", "same"),
    [
        (RENAME, ("name",), ("title",), lambda n: (f"o{n}",), lambda n: (f"n{n}",), "title = name"),
        (
            CENTS,
            ("price",),
            ("cents",),
            lambda n: (Decimal(n) / 4,),
            lambda n: (n,),
            "cents IS NOT DISTINCT FROM round(price * 100)",
        ),
        (
            SPLIT,
            ("name",),
            ("first", "rest"),
            lambda n: (f"o {n}",),
            lambda n: (f"n{n}", f"x {n}"),
            "name = first || ' ' || rest",
        ),
    ],
    ids=["rename", "change_type", "split"],
)
def test_old_and_new_code_write_at_the_same_time(  # noqa: PLR0917
    history, things, apply, rows, database_url, body, old, new, makes_old, makes_new, same
):
    """Old code from before the expand on, new code from after it, both until the end: all is there, in both."""
    things(3000)
    history.expand(body)
    history.contract(end(list(old), list(new)))
    with Writer(database_url, table="things", columns=old, make=makes_old) as before:
        apply()
        with Writer(database_url, table="things", columns=new, make=makes_new) as after:
            until(lambda: len(after.wrote) > 150)
    mismatched = rows(f"SELECT * FROM things WHERE NOT coalesce({same}, false)")
    found = {
        key: tuple(values) for key, *values in rows(f"SELECT id, {', '.join(old)} FROM things")
    }
    ours = {key: tuple(values) for key, *values in rows(f"SELECT id, {', '.join(new)} FROM things")}
    with Writer(database_url, table="things", columns=new, make=makes_new) as alone:
        apply("contract")

    assert mismatched == []
    assert before.wrote == {key: found[key] for key in before.wrote}
    assert after.wrote == {key: ours[key] for key in after.wrote}
    assert len(found) == 3000 + len(before.wrote) + len(after.wrote)
    assert alone.wrote


def until(claim):
    import time

    deadline = time.monotonic() + 60
    for _ in itertools.count():
        if claim():
            return
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_contract_keeps_the_old_column_in_a_shadow(history, renamed, apply, rows):
    """With the key of its row and until its date; new code inserts without it, and with its default."""
    history.contract(end(["name"], ["title"]))
    done = apply("contract")

    assert done.applied == ["c001"]
    assert rows("SELECT count(*), min(name) FROM platform_kit.things_name_c001") == [
        (300, "thing 1")
    ]
    assert rows("SELECT source, expires_at::date::text FROM platform_kit.shadows") == [
        ("things.name", "2999-01-01")
    ]
    assert rows("INSERT INTO things DEFAULT VALUES RETURNING title") == [("unnamed",)]
    with pytest.raises(DBAPIError, match="name"):
        rows("SELECT name FROM things")


def test_reverting_leaves_what_new_code_wrote_in_the_old_column(renamed, rows, database_url):
    """The new column, the trigger and its function are gone."""
    rows("UPDATE things SET title = 'from new code' WHERE id = 1")
    done = revert("shop", to="0001", database_url=database_url)

    assert done.reverted == ["0002"]
    assert rows("SELECT name FROM things WHERE id = 1") == [("from new code",)]
    assert rows("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == [(0,)]
    assert rows("SELECT count(*) FROM pg_proc WHERE proname LIKE 'dual%'") == [(0,)]


def test_what_was_reverted_can_be_applied_again(renamed, apply, rows, database_url):
    """Its backfill begins anew."""
    revert("shop", to="0001", database_url=database_url)
    apply()

    assert rows("SELECT count(*) FROM things WHERE title IS DISTINCT FROM name") == [(0,)]


def test_a_second_name_for_the_same_column_waits_for_the_first(history, renamed, apply, rows):
    """Two triggers in a row would not serve both directions."""
    history.add("0003", 'migrations.rename_column("things", "title", "label")', after="0002")
    with pytest.raises(UnsafeChange, match=r"things\.title is still written twice") as refused:
        apply()

    assert "hint: apply the contract" in str(refused.value)
    assert rows("SELECT title FROM things WHERE id = 1") == [("thing 1",)]
    with pytest.raises(DBAPIError, match="label"):
        rows("SELECT label FROM things")


def test_the_next_expand_does_not_wait_for_an_open_contract(history, renamed, apply, rows):
    """Another column of the same table: both triggers are at work."""
    history.contract(end(["name"], ["title"]))
    history.add("0003", CENTS, after="0002")
    apply()

    assert rows("UPDATE things SET name = 'a', cents = 5 WHERE id = 1 RETURNING title, price") == [
        ("a", Decimal("0.05"))
    ]
    assert apply("contract").applied == ["c001"]


def test_a_wider_key_replaces_the_old_one(history, things, apply, rows):
    """The key's constraint keeps its name; the old column goes into a shadow."""
    things(300)
    history.expand(
        'migrations.change_type("things", "id", "number", sa.BigInteger, forward="{id}", backward="{number}")'
    )
    history.contract(
        'migrations.replace_primary_key("things", ["number"])\n' + end(["id"], ["number"])
    )
    apply()
    apply("contract")

    assert rows(
        "SELECT pg_get_constraintdef(oid), conname FROM pg_constraint WHERE contype = 'p' AND conrelid = 'things'::regclass"
    ) == [("PRIMARY KEY (number)", "things_pkey")]
    assert rows("SELECT count(*), count(DISTINCT number) FROM things") == [(300, 300)]
    assert rows("INSERT INTO things (name) VALUES ('next') RETURNING number") == [(301,)]


@pytest.mark.parametrize(
    ("phase", "body"),
    [
        ("contract", RENAME),
        ("contract", 'migrations.add_column("things", sa.Column("x", sa.Text))'),
        ("expand", end(["name"], ["title"])),
        ("expand", 'migrations.drop_column("things", "name", keep_until=date(2999, 1, 1))'),
        ("expand", 'migrations.undo_dual_write("things", ["name"], ["title"])'),
    ],
)
def test_a_helper_in_the_other_phase_is_refused(history, things, apply, rows, phase, body):
    """Before it has done anything."""
    things(1)
    history.expand(body if phase == "expand" else "pass")
    history.contract(body if phase == "contract" else "pass")
    with pytest.raises(WrongPhase, match=f"is on {phase}") as refused:
        apply(phase)

    assert "hint: move the call" in str(refused.value)
    assert rows(
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'things'::regclass AND attnum > 0"
    ) == [(3,)]
