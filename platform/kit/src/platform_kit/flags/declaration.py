"""Flags as a service's code declares them: the key, the type, the default, whose it is, and when it has to be gone.

`value` is what a request pays for: one closure over the file's definition, and one number more.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from types import MappingProxyType
from typing import ClassVar, Generic, TypeVar

from platform_kit.flags.decision import always, decision
from platform_kit.flags.definition import Definition, Kind
from platform_kit.flags.encounters import met
from platform_kit.flags.operation import Context
from platform_kit.flags.outcome import OVERRIDDEN, Count, Counts, Decide, Outcome
from platform_kit.flags.place import Place

T = TypeVar("T")

_KEY = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")  # goes into a label, a file and a command as it is

_NOTHING: Context = MappingProxyType({})


class Flag(Generic[T]):
    """A flag; a subclass says of which type. Make one for each decision, in the service's module `flags`."""

    kind: ClassVar[Kind]

    __slots__ = (
        "_decide",
        "_defined",
        "_lock",
        "_override",
        "counts",
        "default",
        "description",
        "expires",
        "key",
        "owner",
    )

    def __init__(
        self, key: str, *, default: T, owner: str, expires: date, description: str
    ) -> None:
        if not _KEY.fullmatch(key):
            raise ValueError(f"a flag's key is words in lower case joined by '-', got {key!r}")
        if Kind.of(default) is not self.kind:
            raise TypeError(f"flag {key!r}: the default is no {self.kind.value}, got {default!r}")
        self.key = key
        self.default = default
        self.owner = owner
        self.expires = expires
        self.description = description
        self.counts = Counts()
        self._lock = threading.Lock()  # of those who change the flag, not of those who ask it
        self._override: Decide[T] | None = None
        self._defined: Decide[T] = decision(None, default, self.counts)
        self._decide: Decide[T] = self._defined

    def value(self, key: str = "", context: Context = _NOTHING) -> T:
        """Return the value for a targeting key, such as a customer's id, and a context, and count the decision.

        Never raises and never waits. The same key gets the same value until the file changes.
        """
        outcome = self._decide(key, context)
        outcome.count.number += 1
        found = met.get()
        if found is not None:
            found[self.key] = outcome.label
        return outcome.value

    def decide(self, key: str, context: Context) -> Outcome[T]:
        """Return what `value` returns with the variant and the reason, and count the decision too."""
        outcome = self._decide(key, context)
        outcome.count.number += 1
        found = met.get()
        if found is not None:
            found[self.key] = outcome.label
        return outcome

    @contextmanager
    def override(self, value: T) -> Iterator[None]:
        """Give everybody this value while the block runs, whatever the file says: for tests."""
        if Kind.of(value) is not self.kind:
            raise TypeError(f"flag {self.key!r}: not a {self.kind.value}: {value!r}")
        before = self._override
        self._put(override=always(Outcome(value, OVERRIDDEN, reason="STATIC", count=Count())))
        try:
            yield
        finally:
            self._put(override=before)

    def refuse_other_types(self, definition: Definition) -> None:
        """Raise `FlagInvalid` if a definition's variants are not of the type that is declared."""
        if definition.kind is not self.kind:
            variants = Place.of(self.key).at("variants")
            found, declared = definition.kind.value, self.kind.value
            raise variants.invalid(f"is of type {found}, and the code declares {declared}")

    def define(self, definition: Definition | None) -> None:
        """Decide by a definition from now on, or by the default alone."""
        decide = decision(definition, self.default, self.counts)
        with self._lock:
            self._defined = decide
            self._decide = self._override or decide

    def _put(self, *, override: Decide[T] | None) -> None:
        with self._lock:
            self._override = override
            self._decide = override or self._defined


class BooleanFlag(Flag[bool]):
    """A flag that is on or off."""

    kind = Kind.BOOLEAN
    __slots__ = ()

    on = Flag[bool].value


class StringFlag(Flag[str]):
    """A flag whose variants are texts."""

    kind = Kind.STRING
    __slots__ = ()


class NumberFlag(Flag[float]):
    """A flag whose variants are numbers, whole or not."""

    kind = Kind.NUMBER
    __slots__ = ()
