"""The corpus: what is unsafe is found, what is safe is let be, and PostgreSQL says the same."""

from __future__ import annotations

import psycopg
import pytest
from corpus import cases

from deployer.migrations.lint import lint
from deployer.migrations.measure import Ruler
from deployer.migrations.parse import parse

CASES = cases()
UNSAFE = tuple(case for case in CASES if case.rule)
SAFE = tuple(case for case in CASES if not case.rule)


def named(case):
    return case.name


def test_the_corpus_goes_through_every_row_of_the_union():
    """Sixty rows, with more statements of each kind than are asked for."""
    assert {row for case in UNSAFE for row in case.rows} == set(range(1, 61))
    assert len(UNSAFE) >= 70
    assert len(SAFE) >= 40
    assert len({case.sql + case.tables for case in CASES}) == len(CASES)


@pytest.mark.integration
@pytest.mark.parametrize("case", UNSAFE, ids=named)
def test_an_unsafe_statement_is_found_by_its_rule(case):
    """And the verdict says what to write instead."""
    verdicts = lint(case.sql, schema=case.tables)

    assert case.rule in {verdict.rule for verdict in verdicts}
    assert all(verdict.instead for verdict in verdicts if not verdict.safe)


@pytest.mark.integration
@pytest.mark.parametrize("case", SAFE, ids=named)
def test_a_safe_statement_is_let_be(case):
    """No false alarm."""
    verdicts = lint(case.sql, schema=case.tables)

    assert [verdict.rule for verdict in verdicts] == [None] * len(verdicts)


@pytest.mark.integration
@pytest.mark.parametrize("case", CASES, ids=named)
def test_postgresql_locks_and_rewrites_what_the_verdict_says(case, prepared):
    """Every statement is run, and its backend's locks and the tables' files are read."""
    ruler = Ruler(prepared(case.tables))
    verdicts = lint(case.sql, schema=case.tables)
    measured = [ruler.measure(statement) for statement in parse(case.sql)]

    said = [(verdict.lock, verdict.rewrite) for verdict in verdicts]
    assert said == [(each.lock and str(each.lock), bool(each.rewritten)) for each in measured]


@pytest.mark.integration
def test_a_lock_is_measured_and_not_believed(prepared):
    """The ruler tells apart what looks alike: two changes of type, of which one rewrites."""
    url = prepared("CREATE TABLE t (id bigint, name varchar(10)); INSERT INTO t VALUES (1, 'x')")
    wider, narrower, bigger = parse(
        "ALTER TABLE t ALTER name TYPE varchar(20); ALTER TABLE t ALTER name TYPE varchar(5);"
        "CREATE INDEX CONCURRENTLY i ON t (id)"
    )
    ruler = Ruler(url)

    assert ruler.measure(wider).rewritten == set()
    assert ruler.measure(narrower).rewritten == {"t"}
    assert ruler.measure(bigger).locks == {"t": "SHARE UPDATE EXCLUSIVE"}


@pytest.mark.integration
def test_what_is_watched_from_outside_ends_as_it_would_alone(prepared):
    """The sessions that made it wait are all let go: the index is valid."""
    url = prepared("CREATE TABLE t (id bigint)")
    Ruler(url).measure(parse("CREATE INDEX CONCURRENTLY i ON t (id)")[0])

    with psycopg.connect(url) as connection:
        valid = connection.execute("SELECT indisvalid FROM pg_index WHERE indrelid = 't'::regclass")
        assert valid.fetchall() == [(True,)]


@pytest.mark.integration
def test_a_statement_that_fails_is_an_error_and_no_measurement(prepared):
    """Outside of a transaction too, where it runs in a thread."""
    from deployer.errors import OperationError

    url = prepared("CREATE TABLE t (id bigint); INSERT INTO t VALUES (1), (1)")
    statement = parse("CREATE UNIQUE INDEX CONCURRENTLY i ON t (id)")[0]

    with pytest.raises(OperationError, match="could not create unique index"):
        Ruler(url).measure(statement)
