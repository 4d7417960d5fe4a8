"""What a decision comes to: a value, the variant's name, and the count of those that came to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from platform_kit.flags.operation import Context

T = TypeVar("T")

# The name, in metrics, of what the code says where the file says nothing.
CODE = "(default)"
OVERRIDDEN = "(override)"


class Count:
    """How many decisions came to a variant.

    `count.number += 1` needs no lock: CPython changes threads only at a call or a jump back, and it has neither
    (since 3.10; a test holds it). A build without the global lock would lose some.
    """

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


class Outcome(Generic[T]):
    """One of the ends that a flag's decisions can have. `variant` is None where the code's default stands in."""

    __slots__ = ("count", "label", "reason", "value", "variant")

    def __init__(self, value: T, variant: str | None, *, reason: str, count: Count) -> None:
        self.value = value
        self.variant = variant
        self.label = CODE if variant is None else variant  # in metrics
        self.reason = reason  # in OpenFeature's words
        self.count = count


Decide = Callable[[str, Context], Outcome[T]]


class Counts:
    """A flag's counts by variant. They outlast every change of the file: a counter never goes back."""

    def __init__(self) -> None:
        self._by_variant: dict[str, Count] = {}

    def of(self, variant: str) -> Count:
        """Return the count of a variant, a new one for a new variant."""
        return self._by_variant.setdefault(variant, Count())

    def numbers(self) -> Mapping[str, int]:
        """Return how many decisions came to each variant so far; one that none came to has 0."""
        return {variant: count.number for variant, count in list(self._by_variant.items())}
