"""Compile a flag's targeting rule: from the inside out, each step a closure over those below it."""

from __future__ import annotations

from collections.abc import Mapping

from platform_kit.flags.fractional import fractional
from platform_kit.flags.logic import OPERATORS as LOGIC
from platform_kit.flags.operation import Compiled, Context, Operation, Operator, Result, Rule
from platform_kit.flags.place import Place

OPERATORS: Mapping[str, Operator] = {**LOGIC, "fractional": fractional}


def compile_rule(tree: object, place: Place) -> Compiled:
    """Compile a rule as JSON has it; raise `FlagInvalid` with the place of what can't be."""
    if isinstance(tree, list):
        return _list(tree, place)
    if not isinstance(tree, dict):
        return Compiled(lambda _key, _context: tree, (Result(tree, place),))
    if len(tree) != 1:
        raise place.invalid(f"is one operator with its arguments, got {len(tree)} keys")
    ((name, arguments),) = tree.items()
    if name not in OPERATORS:
        raise place.invalid(f"{name!r} is no operator: there are {' '.join(OPERATORS)}")
    arguments = arguments if isinstance(arguments, list) else [arguments]
    return OPERATORS[name](Operation(arguments, place.at(name), compile_rule))


def _list(trees: list[object], place: Place) -> Compiled:
    rules = [compile_rule(tree, place.at(number)).rule for number, tree in enumerate(trees)]
    return Compiled(lambda key, context: [rule(key, context) for rule in rules])


def naming(compiled: Compiled) -> Rule:
    """Return the rule so that it results in a variant's name, or in None for the default variant."""
    if compiled.results is not None and all(
        result.value is None or isinstance(result.value, str) for result in compiled.results
    ):
        return compiled.rule

    def named(key: str, context: Context) -> str | None:
        return name_of(compiled.rule(key, context))

    return named


def name_of(result: object) -> str | None:
    """Return the variant that a rule's result names: true is `true`, and 1 is `1`."""
    if result is None or isinstance(result, str):
        return result
    return str(result).lower() if isinstance(result, bool) else str(result)
