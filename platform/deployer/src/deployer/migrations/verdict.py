"""The verdict on every statement of a file: safe or not, its lock, its rewrite, what to write instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deployer.migrations.checks import broken, broken_together, excused
from deployer.migrations.locks import Effect, effect_of
from deployer.migrations.operations import Statement
from deployer.migrations.progress import Progress
from deployer.migrations.rules import BY_NAME, BY_SQUAWK, Harm, Rule
from deployer.migrations.schema import Schema


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a statement. `lock` is the strongest on a table that was there before, `rewrite`
    whether one of them gets a new file; `rule` and `instead` are None when it is safe.
    """

    statement: str
    safe: bool
    rule: str | None
    lock: str | None
    rewrite: bool
    instead: str | None


def judge(
    statements: tuple[Statement, ...],
    findings: Sequence[Sequence[str]],
    *,
    before: Schema,
    phase: str = "expand",
) -> Iterator[Verdict]:
    """Yield a verdict a statement. `findings` are squawk's, a list a statement.

    `before` is what was there; it takes in every statement.
    """
    progress = Progress()
    for number, statement in enumerate(statements):
        rest = statements[number + 1 :]
        effect = effect_of(statement.operations, before)
        names = [
            *broken(statement, before, progress, rest),
            *(BY_SQUAWK[name].name for name in findings[number] if name in BY_SQUAWK),
            *broken_together(effect, statement, progress),
        ]
        forgiven = _forgiven(statement, before, rest)
        yield _verdict(statement, effect, _first([n for n in names if n not in forgiven], phase))
        for operation in statement.operations:
            progress.follow(operation, before)
        progress.hold(effect)
        before.apply(statement)


def _verdict(statement: Statement, effect: Effect, rule: Rule | None) -> Verdict:
    return Verdict(
        statement=statement.text,
        safe=rule is None,
        rule=rule.name if rule else None,
        lock=str(effect.lock) if effect.lock else None,
        rewrite=bool(effect.rewritten),
        instead=rule.instead if rule else None,
    )


def _forgiven(statement: Statement, schema: Schema, rest: tuple[Statement, ...]) -> set[str]:
    """Return the rules that no operation of the statement breaks, whatever they look like."""
    each = [excused(operation, schema, rest) for operation in statement.operations]
    return set.intersection(*each) if each else set()


def _first(names: Sequence[str], phase: str) -> Rule | None:
    """Return the first rule that counts in the phase."""
    rules = (BY_NAME[name] for name in names)
    return next((r for r in rules if not (phase == "contract" and r.harm is Harm.OLD_CODE)), None)
