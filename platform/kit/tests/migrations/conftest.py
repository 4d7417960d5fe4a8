"""A shop with a table of things, and a database that its history is applied to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from platform_kit import Database

sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one

from histories import THINGS, History


@pytest.fixture
def history(tmp_path, monkeypatch):
    history = History(tmp_path)
    history.add("0001", THINGS, label="expand", undo='op.drop_table("things")')
    monkeypatch.syspath_prepend(str(history.source))
    return history


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    yield database
    database.dispose()


@pytest.fixture
def rows(database):
    """Ask the database."""

    def rows(statement, **values):
        with database.begin() as connection:
            found = connection.execute(text(statement), values)
            return [tuple(row) for row in found] if found.returns_rows else []

    return rows


@pytest.fixture
def apply(database_url):
    """Apply a phase in the test's own process."""
    from platform_kit.migrations import upgrade

    def apply(phase="expand", **options):
        return upgrade("shop", phase=phase, database_url=database_url, **options)

    return apply


@pytest.fixture
def things(history, apply, rows):
    """The first revision, and rows of an earlier time."""

    def things(count=1000):
        apply()
        rows(
            "INSERT INTO things (name, price) "
            "SELECT 'thing ' || n, CASE WHEN n % 10 > 0 THEN n / 4.0 END FROM generate_series(1, :n) n",
            n=count,
        )
        rows("ANALYZE things")

    return things
