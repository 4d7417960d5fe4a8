"""How much of the corpus of unsafe statements is found, beside the linter squawk alone.

The same statements in the same run, squawk as it comes. Its advice on IF NOT EXISTS, on varchar and
on missing time-outs counts neither for it nor against it: it has that for nearly every statement. Prints one JSON object; times in seconds.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from deployer.migrations import squawk
from deployer.migrations.lint import lint
from deployer.migrations.parse import parse

sys.path.insert(0, str(Path(__file__).parents[1] / "platform/deployer/tests/migrations"))

from corpus import Case, cases

STYLE = (
    "prefer-robust-stmts",
    "prefer-text-field",
    "require-lock-timeout",
    "require-statement-timeout",
    "require-timeout-settings",
)


def ours(case: Case) -> bool:
    """Whether the lint finds anything in a case, with what was there before."""
    return any(not verdict.safe for verdict in lint(case.sql, schema=case.tables))


def alone(case: Case) -> bool:
    """Whether squawk does, as it comes."""
    found = squawk.findings([each.text for each in parse(case.sql)], only_known=False)
    return any(not name.startswith(STYLE) for names in found for name in names)


def score(finds: Callable[[Case], bool], corpus: Iterable[Case]) -> dict[str, object]:
    """Return what was found, missed, and cried wolf at."""
    began = time.perf_counter()
    answers = [(case, finds(case)) for case in corpus]
    return {
        "found": sum(found for case, found in answers if case.rule),
        "missed": [case.name for case, found in answers if case.rule and not found],
        "false_alarms": [case.name for case, found in answers if not case.rule and found],
        "seconds": round(time.perf_counter() - began, 2),
    }


def main() -> None:
    """Score both on the whole corpus."""
    corpus = cases()
    unsafe = sum(case.rule is not None for case in corpus)
    print(
        json.dumps(
            {
                "unsafe": unsafe,
                "safe": len(corpus) - unsafe,
                "ours": score(ours, corpus),
                "squawk": score(alone, corpus),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
