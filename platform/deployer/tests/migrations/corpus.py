"""The corpus of statements as values."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

TEXT = (Path(__file__).parent / "corpus.toml").read_text()


@dataclass(frozen=True)
class Case:
    """What is there, what is run, and the rule that has to be found; None is safe."""

    rows: tuple[int, ...]
    rule: str | None
    tables: str
    sql: str

    @property
    def name(self) -> str:
        """Its rule, or `safe`, and its first statement."""
        lines = [line for line in self.sql.splitlines() if line.strip() not in {"", "BEGIN;"}]
        return f"{self.rule or 'safe'}: {lines[0][:60]}"


def cases() -> tuple[Case, ...]:
    """Every case of the corpus, in its order."""
    data = tomllib.loads(TEXT)
    base = data["base"]["tables"]
    return tuple(
        Case(tuple(row["rows"]), row.get("rule"), f"{base};{row.get('tables', '')}", row["sql"])
        for kind in ("unsafe", "safe")
        for row in data[kind]
    )
