"""A database a case, and a tablespace to move tables to."""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the builders beside the tests, by name


@pytest.fixture(scope="session")
def elsewhere(postgres) -> None:
    """A second tablespace, beside the first: PostgreSQL has a setting for tests like these."""
    with psycopg.connect(postgres.get_uri(), autocommit=True) as connection:
        connection.execute("SET allow_in_place_tablespaces = on")
        connection.execute("CREATE TABLESPACE elsewhere LOCATION ''")


@pytest.fixture
def prepared(database_url, elsewhere):
    """Run SQL on the empty database, a statement at a time, and return its address."""

    def prepare(sql: str) -> str:
        with psycopg.connect(database_url, autocommit=True) as connection:
            for statement in parse(sql):
                connection.execute(statement.text.encode())
        return database_url

    from deployer.migrations.parse import parse

    return prepare
