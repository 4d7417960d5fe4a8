"""The operators of JsonLogic (https://jsonlogic.com) that decide about a caller, and flagd's for texts and versions.

What is wrong in a rule is found when it is compiled. What comes in a context can be anything, so no operator raises:
what can't be compared is false, and what is missing is null.
"""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from platform_kit.flags.operation import Compiled, Context, Operation, Operator, Result, Rule
from platform_kit.versions import precedence

_PARTS_OF_A_VERSION = 3


def var(operation: Operation) -> Compiled:
    """Read from the context, by a path such as `address.country`; an optional second argument stands in for null."""
    operation.takes(1, 2)
    path = operation.arguments[0]
    if not isinstance(path, str) or not path:
        raise operation.place.at(0).invalid(
            f"is the name of something in the context, got {path!r}"
        )
    read = _reader(path, operation.place.flag)
    if len(operation.arguments) == 1:
        return Compiled(read)
    fallback = operation.rule(1)

    def read_or(key: str, context: Context) -> object:
        found = read(key, context)
        return fallback(key, context) if found is None else found

    return Compiled(read_or)


def _reader(path: str, flag: str) -> Rule:
    match path:
        case "targetingKey":
            return lambda key, _context: key or None
        case "$flagd.flagKey":
            return lambda _key, _context: flag
        case "$flagd.timestamp":
            return lambda _key, _context: int(time.time())
    first, *rest = path.split(".")
    if not rest:
        return lambda _key, context: context.get(first)

    def read(_key: str, context: Context) -> object:
        value: object = context
        for step in (first, *rest):
            value = value.get(step) if isinstance(value, Mapping) else None
        return value

    return read


def choose(operation: Operation) -> Compiled:
    """Return the value behind the first condition that holds; `if`, with or without an else at the end."""
    operation.takes(2)
    compiled = operation.all()
    conditions, values = compiled[:-1:2], compiled[1::2]
    otherwise = compiled[-1] if len(compiled) % 2 else Compiled(lambda _key, _context: None, ())
    cases = [
        (condition.rule, value.rule) for condition, value in zip(conditions, values, strict=True)
    ]

    def chosen(key: str, context: Context) -> object:
        for condition, value in cases:
            if condition(key, context):
                return value(key, context)
        return otherwise.rule(key, context)

    return Compiled(chosen, _union([*values, otherwise]))


def all_of(operation: Operation) -> Compiled:
    """Return the first value that is not true, else the last; `and`."""
    return _until(operation, ends=operator.not_)


def any_of(operation: Operation) -> Compiled:
    """Return the first value that is true, else the last; `or`."""
    return _until(operation, ends=operator.truth)


def _until(operation: Operation, *, ends: Callable[[object], bool]) -> Compiled:
    operation.takes(1)
    compiled = operation.all()
    rules = [each.rule for each in compiled]

    def last(key: str, context: Context) -> object:
        value: object = None
        for rule in rules:
            value = rule(key, context)
            if ends(value):
                break
        return value

    return Compiled(last, _union(compiled))


def _union(compiled: Sequence[Compiled]) -> tuple[Result, ...] | None:
    if any(each.results is None for each in compiled):
        return None
    return tuple(result for each in compiled for result in each.results or ())


def negated(operation: Operation) -> Compiled:
    """Return whether a value is not true; `!`."""
    operation.takes(1, 1)
    rule = operation.rule(0)
    return operation.truth(lambda key, context: not rule(key, context))


def compared(operation: Operation, compare: Callable[[object, object], bool | None]) -> Compiled:
    """Return what a comparison of two values says."""
    operation.takes(2, 2)
    left, right = operation.rule(0), operation.rule(1)
    return operation.truth(lambda key, context: compare(left(key, context), right(key, context)))


def among(operation: Operation) -> Compiled:
    """Return whether a value is in a list, or a text in a text; `in`."""
    operation.takes(2, 2)
    needle, haystack = operation.rule(0), operation.arguments[1]
    if not isinstance(haystack, list) or not all(isinstance(each, str) for each in haystack):
        return compared(operation, _contained)
    words = frozenset(haystack)  # a list of ten thousand customers costs as much as one of three

    def found(key: str, context: Context) -> bool:
        value = needle(key, context)
        return isinstance(value, str) and value in words

    return operation.truth(found)


def _contained(needle: object, haystack: object) -> bool:
    if isinstance(haystack, str):
        return needle is not None and _text(needle) in haystack
    if isinstance(haystack, list | tuple):
        return any(_same(needle, each) for each in haystack)
    return False


def joined(operation: Operation) -> Compiled:
    """Return all values as one text; `cat`."""
    operation.takes(1)
    rules = [each.rule for each in operation.all()]
    return Compiled(lambda key, context: "".join(_text(rule(key, context)) for rule in rules))


def versions_compared(operation: Operation) -> Compiled:
    """Compare two versions by SemVer's precedence; null if one is none; `sem_ver`."""
    operation.takes(3, 3)
    sign = operation.arguments[1]
    if not isinstance(sign, str) or sign not in _VERSION_SIGNS:
        known = " ".join(_VERSION_SIGNS)
        raise operation.place.at(1).invalid(f"is one of {known}, got {sign!r}")
    left, compare, right = operation.rule(0), _VERSION_SIGNS[sign], operation.rule(2)

    def said(key: str, context: Context) -> bool | None:
        one, other = _version(left(key, context)), _version(right(key, context))
        return None if one is None or other is None else compare(one, other)

    return operation.truth(said)


_Version = tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]

_VERSION_SIGNS: Mapping[str, Callable[[_Version, _Version], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "^": lambda one, other: one[0][:1] == other[0][:1],
    "~": lambda one, other: one[0][:2] == other[0][:2],
}


def _version(value: object) -> _Version | None:
    """Read `1.2.0`, `v1.2.0`, and `1.2`, which flagd takes for `1.2.0`."""
    text = _text(value).removeprefix("v").removeprefix("V").partition("+")[0]
    release, dash, pre = text.partition("-")
    missing = _PARTS_OF_A_VERSION - len(release.split("."))
    try:
        return precedence(release + ".0" * missing + dash + pre) if missing >= 0 else None
    except ValueError:
        return None


def _equal(left: object, right: object) -> bool:
    """Say whether two values are equal as JavaScript's `==` has it: `1`, `"1"` and `true` are."""
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    if isinstance(left, _SCALARS) and isinstance(right, _SCALARS):
        return _number(left) == _number(right)
    return left is right


def _same(left: object, right: object) -> bool:
    """Say whether two values are equal and of a kind, as `===` has it."""
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return left == right if isinstance(left, _SCALARS) else left is right


def _ordered(left: object, right: object, *, order: Callable[..., bool]) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return order(left, right)
    return order(_number(left), _number(right))


def _starts_with(text: object, beginning: object) -> bool | None:
    if isinstance(text, str) and isinstance(beginning, str):
        return text.startswith(beginning)
    return None


def _ends_with(text: object, end: object) -> bool | None:
    if isinstance(text, str) and isinstance(end, str):
        return text.endswith(end)
    return None


_SCALARS = (str, int, float)  # a bool is an int


def _number(value: object) -> float:
    if value is None:
        return 0
    if isinstance(value, int | float):
        return value
    try:
        return float(value) if isinstance(value, str) else math.nan
    except ValueError:
        return math.nan


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return f"{value:.15g}"
        case _:
            return ""


def _comparing(compare: Callable[[object, object], bool | None]) -> Operator:
    return partial(compared, compare=compare)


OPERATORS: Mapping[str, Operator] = {
    "var": var,
    "if": choose,
    "and": all_of,
    "or": any_of,
    "!": negated,
    "==": _comparing(_equal),
    "!=": _comparing(lambda left, right: not _equal(left, right)),
    "===": _comparing(_same),
    "!==": _comparing(lambda left, right: not _same(left, right)),
    "<": _comparing(partial(_ordered, order=operator.lt)),
    "<=": _comparing(partial(_ordered, order=operator.le)),
    ">": _comparing(partial(_ordered, order=operator.gt)),
    ">=": _comparing(partial(_ordered, order=operator.ge)),
    "in": among,
    "cat": joined,
    "starts_with": _comparing(_starts_with),
    "ends_with": _comparing(_ends_with),
    "sem_ver": versions_compared,
}
