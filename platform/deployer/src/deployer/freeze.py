"""Freeze windows: when no release may go out. A rollback always may.

A window is one span of time, `from` one moment `until` another (dates with a time zone), or comes
back each week: `days`, `from` a time of day `until` another in a `timezone`. Windows are read from
`[[freeze]]` of an environment's file. Pure: the caller says what time it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
DAYS: tuple[Day, ...] = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"{name!r} is no time zone, such as Europe/Berlin or UTC"
        raise ValueError(message) from error
    return name


class FreezeWindow(BaseModel):
    """A span, or with `days` a part of each of those days. `reason` is told to who is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    reason: Annotated[str, Field(min_length=1)]
    begins: AwareDatetime | time = Field(alias="from")
    until: AwareDatetime | time
    days: tuple[Day, ...] = ()
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        kind = time if self.days else datetime
        if not isinstance(self.begins, kind) or not isinstance(self.until, kind):
            message = "from and until are times of day with days, dates with a time zone without"
            raise ValueError(message)  # noqa: TRY004  # pydantic's way to say that a value is wrong
        if self.begins >= self.until:  # type: ignore[operator]  # of one kind, as just seen
            message = "until must come after from; a night is two windows"
            raise ValueError(message)
        return self

    def ends_after(self, at: float) -> float | None:
        """Return when the window that holds this moment ends, or None when none does.

        Both in seconds since the epoch.
        """
        match self.begins, self.until:
            case datetime() as begins, datetime() as until:
                inside = begins.timestamp() <= at < until.timestamp()
                return until.timestamp() if inside else None
            case time() as begins, time() as until:
                here = datetime.fromtimestamp(at, tz=ZoneInfo(self.timezone))
                inside = DAYS[here.weekday()] in self.days and begins <= here.time() < until
                return datetime.combine(here, until, here.tzinfo).timestamp() if inside else None
            case _:
                return None


def frozen_by(windows: Iterable[FreezeWindow], at: float) -> tuple[FreezeWindow, float] | None:
    """Return the window that holds a moment and ends last, with its end; None when none does."""
    found = [(window, end) for window in windows if (end := window.ends_after(at)) is not None]
    return max(found, key=lambda each: each[1], default=None)


def in_words(end: float, *, now: float) -> str:
    """Say when a window ends: `until 2026-12-27 00:00 UTC, in 2 days, 3:00:00`."""
    when = datetime.fromtimestamp(end, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"until {when}, in {timedelta(seconds=round(end - now))}"
