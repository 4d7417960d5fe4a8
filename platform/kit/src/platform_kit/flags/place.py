"""Where in the flags' file something is, for errors that say it."""

from __future__ import annotations

from dataclasses import dataclass

from platform_kit.errors import FlagInvalid


@dataclass(frozen=True, slots=True)
class Place:
    """A flag, and the path from the file's top to a value in it: `flags.new-listing.targeting.if[1]`."""

    flag: str
    path: str

    @classmethod
    def of(cls, flag: str) -> Place:
        """Return the place of a flag's definition."""
        return cls(flag, f"flags.{flag}")

    def at(self, step: str | int) -> Place:
        """Return the place of what is below, by its key or by its number in a list."""
        step = f"[{step}]" if isinstance(step, int) else f".{step}"
        return Place(self.flag, self.path + step)

    def invalid(self, reason: str) -> FlagInvalid:
        """Return the error for what is here."""
        return FlagInvalid(self.flag, place=self.path, reason=reason)
