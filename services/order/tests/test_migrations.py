"""The schema: made by the revisions, and the same as the code's tables."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from order.tables import metadata
from platform_kit import Database
from platform_kit.migrations import read_declaration

MIGRATIONS = Path(__file__).parents[3] / "migrations" / "order"


@pytest.fixture
def first_revision():
    """The module of the first revision."""
    return ScriptDirectory(str(MIGRATIONS)).get_revision("0001").module


def is_ours(_item, name, kind, _reflected, _compare_to):
    """Alembic's and the kit's own tables are theirs to check."""
    return kind != "table" or name not in {"alembic_version", "schema_history"}


def test_the_first_revision_begins_the_expand_branch(first_revision):
    """Later revisions hang on this label."""
    assert first_revision.revision == "0001"
    assert first_revision.branch_labels == ("expand",)
    assert first_revision.down_revision is None


def test_the_code_needs_a_revision_that_it_brings():
    """Without one, readiness would not look at the schema at all."""
    declared = read_declaration(MIGRATIONS)

    assert declared.needs in declared.known


@pytest.mark.integration
def test_the_expand_phase_applies_the_first_revision_once(database_url, migrate):
    """The second run finds nothing to do."""
    first, second = migrate(database_url), migrate(database_url)

    assert first["applied"] == ["0001"]
    assert second["applied"] == []
    assert first["after"] == second["before"] == second["after"] == ["0001"]


@pytest.mark.integration
def test_the_revisions_make_what_the_code_expects(database):
    """No table, column, type, default or constraint differs."""
    options = {"include_object": is_ours, "compare_server_default": True}
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)

        assert compare_metadata(context, metadata) == []


@pytest.mark.integration
def test_the_first_revision_can_be_taken_back(database_url, first_revision):
    """Its downgrade leaves nothing that its upgrade made."""
    database = Database(database_url)
    with database.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            first_revision.upgrade()
        assert set(inspect(connection).get_table_names()) == set(metadata.tables)
        with Operations.context(MigrationContext.configure(connection)):
            first_revision.downgrade()

        assert inspect(connection).get_table_names() == []
    database.dispose()
