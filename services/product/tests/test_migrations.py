"""The schema: made by the revisions, and the same as the code's tables."""

from decimal import Decimal
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import inspect

from platform_kit import Database
from platform_kit.migrations import read_declaration
from product.tables import metadata

VERSIONS = Path(__file__).parents[3] / "migrations" / "product" / "versions"


@pytest.fixture
def revisions():
    """The modules of the revisions, oldest first."""
    return [_module(path) for path in sorted(VERSIONS.glob("0*.py"))]


def _module(path):
    spec = spec_from_file_location(path.stem, path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_ours(_item, name, kind, _reflected, _compare_to):
    """Alembic's and the kit's own tables are theirs to check."""
    return kind != "table" or name not in {"alembic_version", "schema_history"}


def test_the_expand_branch_is_one_line_of_revisions(revisions):
    """The first one carries the label, each other one follows the one before."""
    numbers = [revision.revision for revision in revisions]

    assert [revision.down_revision for revision in revisions] == [None, *numbers[:-1]]
    assert [revision.branch_labels for revision in revisions] == [
        ("expand",),
        *[None] * (len(numbers) - 1),
    ]


def test_the_code_needs_a_revision_that_it_brings():
    """Without one, readiness would not look at the schema at all."""
    declared = read_declaration(VERSIONS.parent)

    assert declared.needs in declared.known


@pytest.mark.integration
def test_the_expand_phase_applies_every_revision_once(database_url, migrate):
    """The second run finds nothing to do."""
    first, second = migrate(database_url), migrate(database_url)

    assert first["applied"] == ["0001", "0002"]
    assert second["applied"] == []
    assert first["after"] == second["before"] == second["after"] == ["0002"]


@pytest.mark.integration
def test_the_revisions_make_what_the_code_expects(database):
    """No table, column, type, default or constraint differs."""
    options = {"include_object": is_ours, "compare_server_default": True}
    with database.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)

        assert compare_metadata(context, metadata) == []


@pytest.mark.integration
def test_what_the_first_release_writes_fits_the_second_schema(database):
    """1.0.0 does not know the description: its insert gets the default, its select misses nothing."""
    columns = "sku, name, price, stock"
    with database.begin() as connection:
        insert = f"INSERT INTO products ({columns}) VALUES ('tea', 'Tea', 4.50, 3) RETURNING *"
        written = connection.exec_driver_sql(insert).one()
        read = connection.exec_driver_sql(f"SELECT id, {columns} FROM products").one()

    assert written.description == ""
    assert read[1:] == ("tea", "Tea", Decimal("4.50"), 3)


@pytest.mark.integration
def test_the_revisions_can_be_taken_back(database_url, revisions):
    """Their downgrades leave nothing that their upgrades made."""
    database = Database(database_url)
    with database.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            for revision in revisions:
                revision.upgrade()
        assert set(inspect(connection).get_table_names()) == set(metadata.tables)
        with Operations.context(MigrationContext.configure(connection)):
            for revision in reversed(revisions):
                revision.downgrade()

        assert inspect(connection).get_table_names() == []
    database.dispose()
