"""A step of a targeting rule, before and after it is compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from platform_kit.flags.place import Place

Context = Mapping[str, object]
# Called for every decision, with the targeting key.
Rule = Callable[[str, Context], object]


@dataclass(frozen=True, slots=True)
class Result:
    """Something that a rule can result in, and the place that it comes from."""

    value: object
    place: Place


@dataclass(frozen=True, slots=True)
class Compiled:
    """A rule, and everything that it can result in; None where that is not known beforehand."""

    rule: Rule
    results: tuple[Result, ...] | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator's arguments, not yet compiled."""

    arguments: list[object]
    place: Place
    compile: Callable[[object, Place], Compiled]

    def takes(self, least: int, most: int | None = None) -> None:
        """Raise `FlagInvalid` unless there are that many arguments."""
        count = len(self.arguments)
        if count < least or (most is not None and count > most):
            wanted = f"{least}" if least == most else f"{least} to {most}"
            wanted = wanted if most is not None else f"at least {least}"
            raise self.place.invalid(f"takes {wanted} argument(s), and has {count}")

    def compiled(self, number: int) -> Compiled:
        """Compile an argument."""
        return self.compile(self.arguments[number], self.place.at(number))

    def rule(self, number: int) -> Rule:
        """Compile an argument of which only the value matters."""
        return self.compiled(number).rule

    def all(self) -> list[Compiled]:
        """Compile all of them."""
        return [self.compiled(number) for number in range(len(self.arguments))]

    def truth(self, rule: Rule) -> Compiled:
        """Return this operator as one whose rule results in true or false, or in null."""
        return Compiled(rule, (Result(True, self.place), Result(False, self.place)))  # noqa: FBT003


Operator = Callable[[Operation], Compiled]
