"""Which changes of type leave a table as it is; the corpus measures the same on PostgreSQL."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployer.migrations.operations import Type
from deployer.migrations.widening import keeps_the_table

LENGTHS = st.integers(1, 40)
TYPES = st.one_of(
    st.just(Type("text")),
    st.just(Type("varchar")),
    st.just(Type("numeric")),
    st.just(Type("int8")),
    st.just(Type("int4")),
    st.builds(lambda n: Type("varchar", (n,)), LENGTHS),
    st.builds(lambda n: Type("bpchar", (n,)), LENGTHS),
    st.builds(lambda n: Type("varbit", (n,)), LENGTHS),
    st.builds(lambda p, s: Type("numeric", (p, min(p, s))), st.integers(3, 30), st.integers(0, 3)),
    st.builds(lambda n: Type("timestamptz", (n,)), st.integers(0, 6)),
    st.just(Type("timestamptz")),
    st.builds(lambda n: Type("interval", (0x7FFF, n)), st.integers(0, 6)),
)
CASTS = {("text", "varchar"), ("varchar", "text")}


def spelt(type_: Type) -> str:
    numbers = type_.modifiers[-1:] if type_.name == "interval" else type_.modifiers
    if not numbers:
        return type_.name
    if type_.name == "interval":
        return f"interval({numbers[0]})"
    return f"{type_.name}({', '.join(map(str, numbers))})"


@pytest.fixture
def connection(database_url):
    with psycopg.connect(database_url, autocommit=True) as opened:
        yield opened


@pytest.mark.integration
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(old=TYPES, new=TYPES)
def test_postgresql_keeps_the_table_where_it_is_said_to(connection, old, new):
    """Any type to any other that it casts to: the file changes exactly when it is said to."""
    file = "SELECT pg_relation_filenode('t')"
    connection.execute("DROP TABLE IF EXISTS t")
    connection.execute(f"CREATE TABLE t (c {spelt(old)})".encode())
    before = connection.execute(file).fetchone()
    try:
        connection.execute(f"ALTER TABLE t ALTER c TYPE {spelt(new)}".encode())
    except psycopg.errors.DatatypeMismatch:
        return  # there is no cast that it would use by itself

    assert keeps_the_table(old, new) == (connection.execute(file).fetchone() == before)
