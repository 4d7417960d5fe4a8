"""The lint: SQL in, a verdict a statement out."""

from __future__ import annotations

from deployer.migrations import squawk
from deployer.migrations.parse import parse
from deployer.migrations.schema import Schema
from deployer.migrations.verdict import Verdict, judge


def lint(sql: str, *, schema: str = "", phase: str = "expand") -> tuple[Verdict, ...]:
    """Return the verdicts on a text, a statement each.

    `schema` is the SQL of what is there before. In the phase `contract` what only old code would
    miss is allowed. Raises InputError `sql-broken`.
    """
    before = Schema(parse(schema))
    statements = parse(sql)
    found = squawk.findings([statement.text for statement in statements])
    return tuple(judge(statements, found, before=before, phase=phase))
