"""All flags of a service, changed together when its file does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from platform_kit.flags.declaration import Flag
from platform_kit.flags.definition import Definitions


class FlagSet:
    """The flags of a service, each declared once: `FLAGS = FlagSet("product", NEW_LISTING)`."""

    def __init__(self, service: str, *flags: Flag[Any]) -> None:
        self.service = service
        self._flags = {flag.key: flag for flag in flags}
        if len(self._flags) < len(flags):
            keys = sorted(flag.key for flag in flags)
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"flag {twice!r} is declared twice")

    def __iter__(self) -> Iterator[Flag[Any]]:
        """Iterate over the flags in the order of their declaration."""
        return iter(self._flags.values())

    def get(self, key: str) -> Flag[Any] | None:
        """Return a flag, None if no such one is declared."""
        return self._flags.get(key)

    def take(self, definitions: Definitions) -> None:
        """Decide by these definitions from now on; raise `FlagInvalid`, with nothing changed, if one does not fit.

        Who asks meanwhile gets the old or the new decision of a flag, never a mixture. Definitions of
        flags that are not declared are for another release of the service, and of no account here.
        """
        for flag in self:
            if flag.key in definitions:
                flag.refuse_other_types(definitions[flag.key])
        for flag in self:
            flag.define(definitions.get(flag.key))
