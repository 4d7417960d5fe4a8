"""The helpers one by one: what is left is what was asked for, twice is once, and what is not safe is refused."""

import json

import pytest
from sqlalchemy.exc import DBAPIError
from writers import Writer

from platform_kit.errors import BackfillIncomplete, UnsafeChange
from platform_kit.migrations import revert

pytestmark = pytest.mark.integration

CONSTRAINTS = """
SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint
WHERE conrelid = 'things'::regclass AND contype <> 'n' AND conname <> 'things_pkey' ORDER BY conname
"""
FILE = "SELECT pg_relation_filenode('things')"
COLUMNS = """
SELECT attname, attnotnull FROM pg_attribute
WHERE attrelid = 'things'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
OURS = [("id", True), ("name", True), ("price", False)]


@pytest.fixture
def twice(history, apply, database_url, rows):
    """Apply an expand revision, then again as after a kill before it was recorded."""

    def twice(body):
        history.expand(body)
        apply()
        rows("UPDATE alembic_version SET version_num = '0001'")
        rows("DELETE FROM schema_history WHERE revision = '0002'")
        return apply()

    return twice


@pytest.mark.parametrize(
    ("column", "first"),
    [
        ('sa.Column("x", sa.Text)', None),
        ('sa.Column("x", sa.Integer, nullable=False, server_default="7")', 7),
        (
            'sa.Column("x", sa.Text, nullable=False, server_default="with :colon and % and \'")',
            "with :colon and % and '",
        ),
        ('sa.Column("x", sa.Boolean, server_default=sa.false())', False),
    ],
)
def test_a_column_is_added_without_a_rewrite(things, twice, rows, column, first):
    """Rows of an earlier time have its default, from the catalogue."""
    things(10)
    before = rows(FILE)
    twice(f'migrations.add_column("things", {column})')

    assert rows("SELECT DISTINCT x FROM things") == [(first,)]
    assert rows(FILE) == before


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ('sa.Column("x", sa.Text, nullable=False)', "NOT NULL without a default"),
        ('sa.Column("x", sa.Uuid, server_default=sa.func.gen_random_uuid())', "rewritten"),
        (
            'sa.Column("x", sa.Float, nullable=False, server_default=sa.text("random()"))',
            "rewritten",
        ),
        ('sa.Column("x", sa.Numeric, sa.Computed("price * 2"))', "rewritten"),
        ('sa.Column("x", sa.Integer, sa.Identity())', "rewritten"),
        ('sa.Column("x", sa.Text, unique=True)', "a key or an index"),
        ('sa.Column("x", sa.Text, index=True)', "a key or an index"),
        ('sa.Column("x", sa.BigInteger, sa.ForeignKey("things.id"))', "a foreign key"),
    ],
)
def test_a_column_that_would_stop_others_is_refused(history, things, apply, rows, column, words):
    """With what to do instead; the table is as it was."""
    things(10)
    before = rows(FILE)
    history.expand(f'migrations.add_column("things", {column})')
    with pytest.raises((UnsafeChange, DBAPIError), match=words) as refused:
        apply()

    assert "hint: " in str(refused.value)
    assert (rows(COLUMNS), rows(FILE)) == (OURS, before)


def test_a_column_can_be_taken_back(history, things, apply, rows, database_url):
    """By the downgrade's own helper."""
    things(10)
    history.expand(
        'migrations.add_column("things", sa.Column("x", sa.Text))',
        undo='migrations.undo_add_column("things", "x")',
    )
    apply()
    revert("shop", to="0001", database_url=database_url)

    assert rows(COLUMNS) == OURS


def test_a_check_is_validated(things, twice, rows):
    """Twice is once."""
    things(10)
    twice('migrations.add_check("things", "cheap", "price < 1000")')

    assert rows(CONSTRAINTS) == [("cheap", "CHECK ((price < (1000)::numeric))", True)]


def test_a_check_that_rows_break_is_not_validated(history, things, apply, rows):
    """It binds new rows; when the old ones are mended, the next run finishes it."""
    things(10)
    history.expand('migrations.add_check("things", "cheap", "price < 2")')
    with pytest.raises(DBAPIError, match='check constraint "cheap"'):
        apply()
    half = rows(CONSTRAINTS)
    rows("UPDATE things SET price = 1")
    apply()

    assert [valid for *_, valid in (*half, *rows(CONSTRAINTS))] == [False, True]


def test_a_foreign_key_is_validated(things, twice, rows):
    """With what happens on delete."""
    things(10)
    twice(
        'migrations.add_column("things", sa.Column("parent", sa.BigInteger))\n'
        'migrations.add_foreign_key("things", "parents", ["parent"], refers_to="things", on_delete="CASCADE")'
    )

    definition = "FOREIGN KEY (parent) REFERENCES things(id) ON DELETE CASCADE"
    assert rows(CONSTRAINTS) == [("parents", definition, True)]


def test_a_unique_constraint_stands_on_an_index_made_concurrently(things, twice, rows):
    """Of its own name."""
    things(10)
    twice('migrations.add_unique("things", "one_name", ["name"])')

    assert rows(CONSTRAINTS) == [("one_name", "UNIQUE (name)", True)]


def test_duplicates_leave_no_invalid_index(history, things, apply, rows):
    """The error names the values; what was half built is gone."""
    things(10)
    rows("UPDATE things SET name = 'same' WHERE id < 3")
    history.expand('migrations.add_unique("things", "one_name", ["name"])')
    with pytest.raises(DBAPIError, match=r"\(name\)=\(same\) is duplicated"):
        apply()

    assert rows("SELECT to_regclass('one_name')::text") == [(None,)]


def test_an_invalid_index_is_found_and_built_again(history, things, apply, rows):
    """IF NOT EXISTS would have taken it for one."""
    things(10)
    rows("CREATE INDEX by_name ON things (name)")
    rows("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_name'::regclass")
    history.expand('migrations.create_index("by_name", "things", ["name"])')
    apply()

    assert rows("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_name'::regclass") == [
        (True,)
    ]


def test_an_index_has_all_that_was_asked_for(things, twice, rows):
    """Expression, uniqueness, condition, and columns beside it."""
    things(10)
    twice(
        'migrations.create_index("i", "things", ["(lower(name))", "id"], unique=True, where="price > 0", include=["price"])'
    )

    definition = rows("SELECT indexdef FROM pg_indexes WHERE indexname = 'i'")[0][0]
    assert definition.startswith(
        "CREATE UNIQUE INDEX i ON public.things USING btree (lower(name), id)"
    )
    assert definition.endswith("INCLUDE (price) WHERE (price > (0)::numeric)")


def test_contract_drops_what_is_named(history, things, apply, rows):
    """An index and a constraint; twice is once."""
    things(10)
    history.expand(
        'migrations.create_index("i", "things", ["name"])\n'
        'migrations.add_check("things", "cheap", "price < 1000")'
    )
    drop = 'migrations.drop_index("i")\nmigrations.drop_constraint("things", "cheap")\n'
    history.contract(drop * 2)
    apply("contract")

    assert rows(CONSTRAINTS) == []
    assert rows("SELECT to_regclass('i')::text") == [(None,)]


def test_not_null_is_for_contract(history, things, apply, rows):
    """Old code may leave the column out as long as it runs; the proof leaves nothing behind."""
    things(10)
    rows("UPDATE things SET price = 0 WHERE price IS NULL")
    history.expand("pass")
    history.contract('migrations.set_not_null("things", "price")\n' * 2)
    apply("contract")

    assert rows(COLUMNS)[-1] == ("price", True)
    assert rows(CONSTRAINTS) == []


def test_not_null_in_expand_needs_somebody_who_fills_it(history, things, apply, rows):
    """A default does; nothing is refused."""
    things(10)
    column = 'migrations.add_column("things", sa.Column("x", sa.Text{default}))\nmigrations.set_not_null("things", "x")'
    history.expand(column.format(default=""))
    with pytest.raises(UnsafeChange, match=r"old code that leaves things\.x out"):
        apply()
    rows("ALTER TABLE things DROP COLUMN x")
    history.expand(column.format(default=', server_default="y"'))
    apply()

    assert rows(COLUMNS) == [*OURS, ("x", True)]


def test_a_backfill_does_all_rows_while_others_write(history, things, apply, rows, database_url):
    """Those it was asked for; code that goes on writing such rows would keep it from ending."""
    things(5000)
    history.expand(
        'migrations.add_column("things", sa.Column("kind", sa.Text, server_default="new"))\n'
        """migrations.backfill("things", {"kind": "'thing: ' || name"}, where="kind = 'new' AND id <= 5000")"""
    )
    with Writer(database_url, table="things", columns=("name",), make=lambda n: (f"w{n}",)) as old:
        rows("SELECT 1")
        apply()
    kinds = rows("SELECT count(*) FROM things WHERE id <= 5000 AND kind <> 'thing: ' || name")

    assert kinds == [(0,)]
    assert rows("SELECT rows >= 5000, finished_at IS NOT NULL FROM platform_kit.backfills") == [
        (True, True)
    ]
    assert old.wrote is not None


def test_a_backfill_goes_on_where_it_was(history, things, apply, rows):
    """Rows before the position are not looked at again, but for the last question."""
    things(1000)
    history.expand("migrations.backfill('things', {'price': 'id'}, where='price IS NULL')")
    rows(
        "INSERT INTO platform_kit.backfills (name, revision, position, rows) "
        """VALUES ('0002: things (price)', '0002', '["900"]', 900)"""
    )
    rows("UPDATE things SET price = 1 WHERE id <= 900")
    apply()

    assert rows("SELECT rows, position FROM platform_kit.backfills") == [(1000, ["1000"])]
    assert rows("SELECT count(*) FROM things WHERE price IS NULL") == [(0,)]


def test_a_backfill_that_cannot_end_says_so(history, things, apply, rows):
    """The condition holds after the change: the constraint behind it is not made."""
    things(10)
    history.expand(
        "migrations.backfill('things', {'name': 'name'}, where='price IS NULL')\n"
        'migrations.add_check("things", "priced", "price IS NOT NULL")'
    )
    with pytest.raises(
        BackfillIncomplete, match="after 3 passes things still has rows with price IS NULL"
    ):
        apply()

    assert rows(CONSTRAINTS) == []


@pytest.mark.parametrize(
    "key",
    ["a int, b text, PRIMARY KEY (b, a)", "a uuid DEFAULT gen_random_uuid() PRIMARY KEY, b int"],
)
def test_a_backfill_goes_along_any_key(history, things, apply, rows, key):
    """Of several columns in its own order; of a type that has no maximum."""
    things(1)
    rows(f"CREATE TABLE keyed ({key}, done bool)")
    values = "n % 7, 'k' || n" if "text" in key else "gen_random_uuid(), n"
    rows(f"INSERT INTO keyed (a, b) SELECT {values} FROM generate_series(1, 1500) n")
    history.expand("migrations.backfill('keyed', {'done': 'true'}, where='done IS NULL')")
    apply()

    assert rows("SELECT count(*) FROM keyed WHERE done") == [(1500,)]
    assert rows("SELECT rows FROM platform_kit.backfills") == [(1500,)]


def test_a_table_without_a_key_is_refused(history, things, apply, rows):
    """There is nothing to go along."""
    things(1)
    rows("CREATE TABLE keyless (x int)")
    history.expand("migrations.backfill('keyless', {'x': '1'}, where='x IS NULL')")
    with pytest.raises(UnsafeChange, match="keyless has no primary key"):
        apply()


def test_a_table_has_two_names_until_contract(history, things, apply, rows):
    """Old code reads, inserts, upserts, updates, locks and deletes through the old one."""
    things(10)
    history.expand(
        'migrations.rename_table("things", "items")\n' * 2,
        undo='migrations.undo_rename_table("things", "items")',
    )
    history.contract('migrations.end_rename_table("things", "items")\n' * 2)
    apply()
    rows("INSERT INTO things (name) VALUES ('by old code')")
    rows("UPDATE things SET price = 5 WHERE name = 'by old code'")
    rows(
        "INSERT INTO things (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'upserted'"
    )
    rows("SELECT * FROM things WHERE id = 1 FOR UPDATE")
    rows("DELETE FROM things WHERE id = 2")
    found = rows("SELECT id, name FROM items WHERE id < 3 OR price = 5 ORDER BY id")
    apply("contract")

    assert found == [(1, "upserted"), (11, "by old code")]
    assert rows("SELECT to_regclass('things')::text, to_regclass('items')::text") == [
        (None, "items")
    ]


def test_a_table_gets_its_name_back(history, things, apply, rows, database_url):
    """By the downgrade's own helper."""
    things(10)
    history.expand(
        'migrations.rename_table("things", "items")',
        undo='migrations.undo_rename_table("things", "items")',
    )
    apply()
    revert("shop", to="0001", database_url=database_url)

    assert rows("SELECT relkind FROM pg_class WHERE oid = 'things'::regclass") == [("r",)]


def test_old_code_writes_while_its_table_is_renamed(history, things, apply, rows, database_url):
    """No statement fails, none is lost."""
    things(10)
    history.expand('migrations.rename_table("things", "items")')
    with Writer(database_url, table="things", columns=("name",), make=lambda n: (f"o{n}",)) as old:
        apply()
        rows("SELECT 1")
    names = dict(rows("SELECT id, name FROM items WHERE id > 10"))

    assert {key: name for key, (name,) in old.wrote.items()} == names


def test_a_dropped_table_is_kept_until_its_date(history, things, apply, rows):
    """Its foreign keys bind nobody any more; its rows can be read; after its date a contract run drops it."""
    things(10)
    rows("CREATE TABLE parts (id bigint PRIMARY KEY, thing bigint REFERENCES things)")
    rows("INSERT INTO parts VALUES (1, 1)")
    history.expand("pass")
    history.contract('migrations.drop_table("parts", keep_until=date(2999, 1, 1))\n' * 2)
    first = apply("contract")
    kept = rows("SELECT * FROM platform_kit.parts_c001")
    rows("DELETE FROM things WHERE id = 1")
    rows("UPDATE platform_kit.shadows SET expires_at = now() - interval '1 second'")
    second = apply("contract")

    assert (kept, first.purged, second.purged) == ([(1, 1)], [], ["parts"])
    assert rows(
        "SELECT to_regclass('platform_kit.parts_c001')::text, to_regclass('parts')::text"
    ) == [(None, None)]
    assert rows("SELECT count(*) FROM platform_kit.shadows") == [(0,)]


def test_a_table_that_others_refer_to_is_not_dropped(history, things, apply, rows):
    """Dropping their keys is a decision of its own."""
    things(10)
    rows("CREATE TABLE parts (id bigint PRIMARY KEY, thing bigint REFERENCES things)")
    history.expand("pass")
    history.contract('migrations.drop_table("things", keep_until=date(2999, 1, 1))')
    with pytest.raises(UnsafeChange, match="parts refers to things"):
        apply("contract")

    assert rows("SELECT count(*) FROM things") == [(10,)]


def test_a_dropped_column_is_kept_while_new_code_writes(history, things, apply, rows, database_url):
    """NOT NULL and the default go first: code that does not know the column must be able to insert."""
    things(2000)
    history.expand("pass")
    history.contract('migrations.drop_column("things", "name", keep_until=date(2999, 1, 1))\n' * 2)
    with Writer(database_url, table="things", columns=("price",), make=lambda n: (n,)) as new:
        apply("contract")
    kept = "SELECT count(*) FROM platform_kit.things_name_c001 WHERE name = 'thing ' || id AND id <= 2000"

    assert rows(kept) == [(2000,)]
    assert rows(COLUMNS) == [("id", True), ("price", False)]
    assert new.wrote is not None


def test_a_name_that_postgresql_would_cut_short_is_refused(history, things, apply):
    """Two of them could be the same."""
    things(1)
    history.expand(f'migrations.add_check("things", "{"x" * 64}", "true")')
    with pytest.raises(UnsafeChange, match="longer than 63 bytes"):
        apply()


def test_the_statements_can_be_read_before(history, things, database_url, rows):
    """`--sql`: of every helper, and of plain operations, with nothing done."""
    things(10)
    history.expand(
        'migrations.rename_column("things", "name", "title")\n'
        'migrations.create_index("i", "things", ["title"])\n'
        'op.create_table("more", sa.Column("id", sa.Integer, primary_key=True))'
    )
    code, out, err = history.run(database_url, "--sql")
    (statements,) = json.loads(out)["sql"].values()

    assert (code, err) == (0, "")
    text = "\n".join(statements)
    for part in (
        "ADD COLUMN",
        "CREATE OR REPLACE TRIGGER",
        'UPDATE "things"',
        "NOT VALID",
        "VALIDATE",
        "SET NOT NULL",
        "CREATE INDEX CONCURRENTLY",
        "CREATE TABLE more",
    ):
        assert part in text
    assert rows(COLUMNS) == OURS
