"""The schema: made by the revisions, and the same as the code's tables."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, select, text

from auth import keys
from auth.tables import accounts, metadata, signing_keys
from platform_kit import Database
from platform_kit.migrations import read_declaration, upgrade

MIGRATIONS = Path(__file__).parents[3] / "migrations" / "auth"


# What the release before writes, until a contract takes it.
LEAVING = {("signing_keys", "number")}


@pytest.fixture
def revisions():
    """The modules of the expand revisions, oldest first."""
    script = ScriptDirectory(str(MIGRATIONS))
    return [each.module for each in script.walk_revisions("base", "expand@head")][::-1]


def not_bookkeeping(_item, name, kind, _reflected, _compare_to):
    """Alembic's and the kit's own tables are theirs to check."""
    return kind != "table" or name not in {"alembic_version", "schema_history"}


def is_ours(item, name, kind, reflected, compare_to):
    """And what leaves is the older code's."""
    leaves = kind == "column" and (item.table.name, name) in LEAVING
    return not leaves and not_bookkeeping(item, name, kind, reflected, compare_to)


def test_the_expand_branch_is_one_line_of_revisions(revisions):
    """The first one carries the label, each other one follows the one before."""
    numbers = [revision.revision for revision in revisions]

    assert numbers[0] == "0001"
    assert [revision.down_revision for revision in revisions] == [None, *numbers[:-1]]
    assert revisions[0].branch_labels == ("expand",)


def test_the_code_needs_a_revision_that_it_brings():
    """Without one, readiness would not look at the schema at all."""
    declared = read_declaration(MIGRATIONS)

    assert declared.needs in declared.known


@pytest.mark.integration
def test_the_expand_phase_applies_every_revision_once(database_url, migrate, revisions):
    """The second run finds nothing to do."""
    first, second = migrate(database_url), migrate(database_url)

    assert first["applied"] == [revision.revision for revision in revisions]
    assert second["applied"] == []
    assert first["after"] == second["before"] == second["after"] == [revisions[-1].revision]


@pytest.mark.integration
def test_the_revisions_make_what_the_code_expects(database):
    """No table, column, type, default or constraint differs."""
    options = {"include_object": is_ours, "compare_server_default": True}
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)

        assert compare_metadata(context, metadata) == []


@pytest.mark.integration
def test_what_the_first_release_writes_the_second_reads_and_back(database_url, migrate):
    """Each writes its own column, and the trigger the other's."""
    migrate(database_url)
    database = Database(database_url)
    with database.begin() as connection:
        connection.execute(
            text("INSERT INTO signing_keys (number, kid, private_key) VALUES (1, 'old', '')")
        )
        connection.execute(insert(signing_keys).values(serial=2, kid="new", private_key=b""))
        found = connection.execute(
            text("SELECT number, serial, kid FROM signing_keys ORDER BY kid DESC")
        ).all()
    database.dispose()

    assert found == [(1, 1, "old"), (2, 2, "new")]


@pytest.mark.integration
def test_the_contract_leaves_what_the_code_expects_and_keeps_what_was_there(database_url, migrate):
    """The long numbers are the primary key; the short ones are in the shadow."""
    migrate(database_url)
    database = Database(database_url)
    with database.begin() as connection:
        connection.execute(insert(signing_keys).values(serial=7, kid="seventh", private_key=b""))
    applied = upgrade("auth", phase="contract", database_url=database_url).applied
    with database.connect() as connection:
        kept = connection.execute(
            text("SELECT number FROM platform_kit.signing_keys_number_c001")
        ).scalars()
        key = inspect(connection).get_pk_constraint("signing_keys")["constrained_columns"]
        context = MigrationContext.configure(connection, opts={"include_object": not_bookkeeping})

        assert list(applied) == ["c001"]
        assert list(kept) == [7]
        assert key == ["serial"]
        assert compare_metadata(context, metadata) == []
    database.dispose()


@pytest.mark.integration
def test_what_an_older_release_registers_is_a_customer(database):
    """It knows of no roles, and leaves the column out."""
    with database.begin() as connection:
        connection.execute(
            text("INSERT INTO accounts (id, email, password_hash) VALUES (:id, 'a@b', '')"),
            {"id": uuid4()},
        )

        assert connection.scalars(select(accounts.c.role)).all() == ["customer"]


@pytest.mark.integration
def test_keys_rotate_after_the_contract_as_before(database_url, migrate):
    """Before it another column is the key of the table: `test_keys.py` is on that schema."""
    migrate(database_url)
    upgrade("auth", phase="contract", database_url=database_url)
    database = Database(database_url)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    first = keys.signing_key(database, now=now).kid
    following, signs_at = keys.rotate(database, now=now)

    assert keys.rotate(database, now=now) == (following, signs_at)
    assert [key.kid for key in keys.all_keys(database, now=signs_at)] == [following, first]
    database.dispose()


@pytest.mark.integration
def test_the_first_revision_can_be_taken_back(database_url, revisions):
    """Its downgrade leaves nothing that its upgrade made."""
    database = Database(database_url)
    first = revisions[0]
    with database.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            first.upgrade()
        assert set(inspect(connection).get_table_names()) == {"accounts", "signing_keys"}
        with Operations.context(MigrationContext.configure(connection)):
            first.downgrade()

        assert inspect(connection).get_table_names() == []
    database.dispose()
