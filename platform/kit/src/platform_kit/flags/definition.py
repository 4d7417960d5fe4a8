"""The flags' file, in the form of flagd (https://flagd.dev/reference/flag-definitions), read and compiled as a whole.

A file that has a mistake anywhere is refused whole, with the flag and the place: half of a change is no change that
anybody asked for. What flagd would leave unnoticed until somebody is hit by it, such as a weight for a variant that
there is not, is refused too. Not taken: `$evaluators`, and weights that are computed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from platform_kit.errors import FlagsUnreadable
from platform_kit.flags.operation import Rule
from platform_kit.flags.place import Place
from platform_kit.flags.rules import compile_rule, name_of, naming

STATES = ("ENABLED", "DISABLED")

_OF_THE_FILE = {"$schema", "flags", "metadata"}
_OF_A_FLAG = {"state", "variants", "defaultVariant", "targeting", "metadata"}


class Kind(Enum):
    """What a flag's variants are."""

    BOOLEAN = "boolean"
    STRING = "string"
    NUMBER = "number"
    OBJECT = "object"

    @classmethod
    def of(cls, value: object) -> Kind | None:
        """Return the kind of a value; null has none."""
        match value:
            case bool():
                return cls.BOOLEAN
            case str():
                return cls.STRING
            case int() | float():
                return cls.NUMBER
            case dict() | list():
                return cls.OBJECT
            case _:
                return None


@dataclass(frozen=True, slots=True)
class Definition:
    """What the file says of a flag; without a default variant the code's default stands in."""

    key: str
    enabled: bool
    kind: Kind
    variants: Mapping[str, object]
    default_variant: str | None
    rule: Rule | None


Definitions = Mapping[str, Definition]


def read_flags(path: Path) -> bytes:
    """Return a file's content; raise `FlagsUnreadable` if there is none to be had."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FlagsUnreadable(f"{path}: {error.strerror}") from error


def parse_flags(content: bytes | str) -> Definitions:
    """Return all flags of a file's content; raise `FlagsUnreadable`, or `FlagInvalid` with the place."""
    try:
        tree = json.loads(content, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, or too deep
        raise FlagsUnreadable(f"it is no JSON: {error}") from error
    flags = tree.get("flags") if isinstance(tree, dict) else None
    if not isinstance(flags, dict):
        raise FlagsUnreadable('it is no object with "flags", which are one by key')
    if unknown := sorted(tree.keys() - _OF_THE_FILE):
        raise FlagsUnreadable(f"it has {unknown[0]!r}; there are {', '.join(sorted(_OF_THE_FILE))}")
    return {key: _definition(tree, Place.of(key)) for key, tree in flags.items()}


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse what Python, as most parsers, would let pass: the last of two flags with one key."""
    tree = dict(pairs)
    if len(tree) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise FlagsUnreadable(f"it has {twice!r} twice in one object")
    return tree


def _definition(tree: object, place: Place) -> Definition:
    if not isinstance(tree, dict):
        raise place.invalid(f"is an object, got {tree!r}")
    if unknown := sorted(tree.keys() - _OF_A_FLAG):
        known = ", ".join(sorted(_OF_A_FLAG))
        raise place.at(unknown[0]).invalid(f"is not known; there are {known}")
    state = tree.get("state")
    if state not in STATES:
        raise place.at("state").invalid(f"is one of {', '.join(STATES)}, got {state!r}")
    variants, kind = _variants(tree.get("variants"), place.at("variants"))
    return Definition(
        place.flag,
        state == "ENABLED",
        kind,
        variants,
        _default_variant(tree.get("defaultVariant"), variants, place.at("defaultVariant")),
        _rule(tree.get("targeting"), variants, place.at("targeting")),
    )


def _variants(tree: object, place: Place) -> tuple[Mapping[str, object], Kind]:
    if not isinstance(tree, dict) or not tree:
        raise place.invalid(f"is an object with a value a variant, got {tree!r}")
    kinds = {name: Kind.of(value) for name, value in tree.items()}
    first, kind = next(iter(kinds.items()))
    if kind is None:
        raise place.at(first).invalid("is null, which is no value")
    for name, each in kinds.items():
        if each is not kind:
            raise place.at(name).invalid(f"is no {kind.value}, as {first!r} is: {tree[name]!r}")
    return tree, kind


def _default_variant(tree: object, variants: Mapping[str, object], place: Place) -> str | None:
    name = name_of(tree) or None  # flagd takes "" for none
    if name is not None and name not in variants:
        raise place.invalid(_no_variant(name, variants))
    return name


def _rule(tree: object, variants: Mapping[str, object], place: Place) -> Rule | None:
    if tree is None or tree == {}:
        return None
    if not isinstance(tree, dict):
        raise place.invalid(f"is an object with an operator, got {tree!r}")
    compiled = compile_rule(tree, place)
    for result in compiled.results or ():
        name = name_of(result.value)
        if name is not None and name not in variants:
            raise result.place.invalid(_no_variant(name, variants))
    return naming(compiled)


def _no_variant(name: str, variants: Mapping[str, object]) -> str:
    return f"results in {name!r}, which is no variant; there are {', '.join(variants)}"
