"""The reference page of the rules, written from the rules: `docs/reference/migration-rules.md`."""

from __future__ import annotations

from pathlib import Path

from deployer.migrations.rules import RULES, Harm, Rule

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "migration-rules.md"
HEAD = """# Rules of the migrations

What `deployer migrations lint --sql FILE` and the gate `deployer migrations check SERVICE` find, and what to
write instead. This page is made from the rules; a test holds both equal.

Each statement gets one verdict: `statement`, `safe`, `rule`, `lock` (the strongest table lock it takes on a table that
was there before the file, by PostgreSQL's name; null when it takes none), `rewrite` (whether such a table gets
a new file) and `instead`. Locks and rewrites are what PostgreSQL does: every statement of the corpus
(`platform/deployer/tests/migrations/corpus.toml`) is run, and measured, by a test. A table made in the same file may be
treated in any way; nobody waits for it yet. What depends on the tables there are (does a type widen? is a NOT
NULL proven?) is judged exactly with `--schema FILE`, and taken for the worse without.

In a contract revision the rules under "old code" do not count: it runs when no slot holds a release that needs
what goes away. "Row" is the number in the union of sixty operations that ten tools warn of; rules with a finding of
`squawk` beside them are its findings, the others are decided here, with the tables, the
transaction and the rest of the file.
"""
TITLES = {
    Harm.LOCK: "Waits: readers or writers stand still",
    Harm.OLD_CODE: "Old code: the release before fails, or loses what it relies on",
    Harm.DATA: "Data: gone, and no downgrade brings it back",
    Harm.RUN: "The run: it stops half-way, or can't be repeated",
    Harm.LATER: "Later: nothing now, a rewrite or a slow query one day",
}


def page() -> str:
    """Return the page's text."""
    parts = [HEAD]
    for harm, title in TITLES.items():
        parts.append(f"\n## {title}\n")
        parts += [_section(rule) for rule in RULES if rule.harm is harm]
    return "".join(parts)


def _section(rule: Rule) -> str:
    rows = ", ".join(str(row) for row in rule.rows)
    squawk = f" squawk: {', '.join(f'`{name}`' for name in rule.squawk)}." if rule.squawk else ""
    return f"\n### {rule.name}\n{rule.why} Row {rows}.{squawk}\n\nInstead: {rule.instead}.\n"


if __name__ == "__main__":
    PAGE.write_text(page())
