"""Two releases write at once: what hurts one of them is seen, and what hurts none passes."""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Column, Enum, Integer, MetaData, Table, create_engine

from deployer.migrations.suites import Suite
from deployer.migrations.together import write_together
from deployer.migrations.writing import Writer
from deployer.model import Release, ServiceName
from platform_kit.migrations import upgrade

pytestmark = pytest.mark.integration


@pytest.fixture
def both():
    """One code under two numbers: what is tried is the schema beneath."""

    def make(service):
        return tuple(
            Suite(Release(ServiceName(service), version, version * 8), Path(), Path(sys.executable))
            for version in ("1.0.0", "1.1.0")
        )

    return make


@pytest.mark.parametrize("service", ["auth", "order", "product", "user"])
def test_both_write_and_read_what_the_other_wrote(database_url, both, service):
    """Every table gets rows of both, and each finds its own as it wrote them."""
    upgrade(service, phase="expand", database_url=database_url)
    found = write_together(*both(service), database_url)

    assert found.passed, found
    assert found.release == f"{service}@1.0.0 and {service}@1.1.0"
    assert found.summary.count(" wrote ") == 2
    assert " wrote 0 rows" not in found.summary
    assert "without" not in found.summary
    with psycopg.connect(database_url) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public'"
            " AND relname NOT IN ('alembic_version', 'schema_history')"
        ).fetchall()
        for (table,) in tables:
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > 10


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("ALTER TABLE products ADD COLUMN country text NOT NULL", "country"),
        ("ALTER TABLE products DROP COLUMN description", "description"),
        ("ALTER TABLE products ADD CHECK (price < 0) NOT VALID", "products"),
        (
            (
                "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN NEW.name := upper(NEW.name) || '!'; RETURN NEW; END $$;"
                "CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON products"
                " FOR EACH ROW EXECUTE FUNCTION shout()"
            ),
            "products.name",
        ),
        (
            (
                "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RETURN NULL; END $$;"
                "CREATE TRIGGER lose BEFORE UPDATE ON products FOR EACH ROW EXECUTE FUNCTION lose()"
            ),
            "products",
        ),
    ],
    ids=["a column too many", "a column too few", "a check", "changed values", "lost changes"],
)
def test_what_hurts_a_writer_is_seen(database_url, both, change, word):
    """The negative controls: an insert that fails, a row that is not as it was written, a table left out."""
    upgrade("product", phase="expand", database_url=database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute(change)
    found = write_together(*both("product"), database_url)

    assert word in f"{found.summary} {found.lines}"
    assert not found.passed or "without products" in found.summary


def test_who_could_write_nothing_has_shown_nothing(database_url, both):
    """A check on every table that the values can't pass: that is no proof, and is said."""
    upgrade("user", phase="expand", database_url=database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE profiles ADD CHECK (id = 'nobody')")
    found = write_together(*both("user"), database_url)

    assert "user@1.0.0 wrote 0 rows, without profiles" in found.summary
    assert not found.passed


def test_of_a_closed_set_its_own_values_are_written(database_url):
    """Any other would be refused, and the table left out: what is beside it would never be tried."""
    colour = Enum("red", "blue", native_enum=False, create_constraint=True, name="colours")
    cups = Table(
        "cups",
        MetaData(),
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("colour", colour, nullable=False),
    )
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    cups.metadata.create_all(engine)
    writer = Writer(cups.metadata, engine, number=1)
    writer.write(0.2)
    writer.verify()
    engine.dispose()

    assert writer.left_out == {}
    assert writer.wrote > 0
