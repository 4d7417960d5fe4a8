"""The lint, where a statement's place decides; and how it is called."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from deployer.cli.main import program
from deployer.errors import InputError
from deployer.migrations import squawk
from deployer.migrations.lint import lint
from deployer.migrations.rules import BY_SQUAWK, RULES


def rules(sql: str, **options: str) -> list[str | None]:
    return [verdict.rule for verdict in lint(sql, **options)]


def test_a_contract_revision_may_take_away_what_old_code_needed():
    """None is left that could notice; a lock is a lock all the same."""
    sql = "ALTER TABLE t DROP COLUMN c; CREATE INDEX i ON t (d)"

    assert rules(sql, phase="contract") == [None, "create-index"]
    assert rules(sql) == ["drop-column", "create-index"]


def test_a_type_that_is_not_known_is_taken_for_the_worse():
    """With the tables there are, the same statement is seen to widen."""
    sql = "ALTER TABLE t ALTER COLUMN name TYPE varchar(100)"

    assert rules(sql) == ["change-type"]
    assert rules(sql, schema="CREATE TABLE t (name varchar(50))") == [None]


def test_what_the_file_made_itself_is_known_for_what_comes_after():
    """The second index stands on a table that others see."""
    sql = "CREATE TABLE n (id bigint); CREATE INDEX i ON n (id); CREATE INDEX j ON o (id)"

    assert rules(sql) == [None, None, "create-index"]


def test_a_time_out_ends_with_its_transaction():
    """SET LOCAL does not reach the statement after COMMIT."""
    sql = "BEGIN; SET LOCAL lock_timeout = 0; COMMIT; ALTER TABLE t ADD COLUMN c int"

    assert rules(sql) == [None, None, None, None]


def test_a_block_of_plpgsql_is_read():
    """Its statements are judged as if they stood alone; what it puts together can't be."""
    sql = "DO $$ BEGIN IF true THEN DELETE FROM t; END IF; END $$"

    assert rules(sql) == ["write-all-rows"]
    assert rules("DO $$ BEGIN EXECUTE 'DROP ' || 'TABLE t'; END $$") == ["opaque"]


def test_comments_and_strings_are_no_statements():
    """The parser is PostgreSQL's: a semicolon in a string ends nothing."""
    verdicts = lint("-- DROP TABLE t;\nINSERT INTO t VALUES ('; DROP TABLE t; --') /* ; */")

    assert [verdict.safe for verdict in verdicts] == [True]


def test_names_beyond_ascii_do_not_shift_what_is_found():
    """The parser counts bytes, squawk lines; both find the same statement."""
    verdicts = lint("COMMENT ON TABLE t IS 'größer';\nALTER TABLE t DROP COLUMN größe;")

    assert [verdict.statement for verdict in verdicts if not verdict.safe] == [
        "ALTER TABLE t DROP COLUMN größe"
    ]


def test_what_is_no_sql_is_said_to_be_none():
    """With the parser's own words."""
    with pytest.raises(InputError, match='syntax error at or near "TABLES"'):
        lint("ALTER TABLES t")


def test_every_finding_that_is_taken_at_its_word_is_one_that_squawk_knows():
    """A name that it no longer had would end it with an error: every one of them is asked for."""
    assert (
        squawk.findings(["DROP TABLE t"]) == [["ban-drop-table"]]
        or "ban-drop-table" in (squawk.findings(["DROP TABLE t"])[0])
    )
    assert len(BY_SQUAWK) == sum(len(rule.squawk) for rule in RULES)


def test_the_command_prints_an_object_a_statement(tmp_path):
    """The keys are an interface; an unsafe statement is exit code 1."""
    file = tmp_path / "change.sql"
    file.write_text("ALTER TABLE t ADD c int; DROP TABLE t")
    result = CliRunner().invoke(program, ["migrations", "lint", "--sql", str(file), "--json"])

    safe, unsafe = json.loads(result.stdout)
    assert safe == {
        "statement": "ALTER TABLE t ADD c int",
        "safe": True,
        "rule": None,
        "lock": "ACCESS EXCLUSIVE",
        "rewrite": False,
        "instead": None,
    }
    assert unsafe["rule"] == "drop-table"
    assert result.exit_code == 1


def test_the_command_says_ok_of_a_safe_file(tmp_path):
    """Exit code 0."""
    file = tmp_path / "change.sql"
    file.write_text("ALTER TABLE t ADD c int")
    result = CliRunner().invoke(program, ["migrations", "lint", "--sql", str(file)])

    assert result.stdout == "ok  ALTER TABLE t ADD c int\n    ACCESS EXCLUSIVE\n"
    assert result.exit_code == 0


def test_a_file_that_is_not_there_is_misuse():
    """Exit code 2, and the error's code."""
    result = CliRunner().invoke(program, ["migrations", "lint", "--sql", "nowhere.sql"])

    assert result.exit_code == 2
    assert "error[sql-missing]" in result.stderr
