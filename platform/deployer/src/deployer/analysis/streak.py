"""What is counted in a row: bad looks without a good one in between, and when they began."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Streak:
    """So many bad looks in a row; `since` is when the first of them was, None without any."""

    looks: int = 0
    since: float | None = None

    def after(self, *, bad: bool | None, at: float) -> Streak:
        """Return the streak after a look; what was not seen neither adds nor ends it."""
        if bad is None:
            return self
        if not bad:
            return NO_STREAK
        return Streak(self.looks + 1, at if self.since is None else self.since)


NO_STREAK = Streak()
