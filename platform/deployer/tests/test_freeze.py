"""Freeze windows: when nothing goes out, until when, and what is no window."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from deployer.freeze import FreezeWindow, frozen_by, in_words

HOLIDAYS = """
reason = "holidays"
from = 2026-12-23T18:00:00+01:00
until = 2026-12-27T06:00:00+01:00
"""
FRIDAYS = """
reason = "no release before a weekend"
days = ["friday"]
from = 16:00:00
until = 23:59:59
timezone = "Europe/Berlin"
"""


def window(text: str) -> FreezeWindow:
    return FreezeWindow.model_validate(tomllib.loads(text))


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("moment", "frozen"),
    [
        ("2026-12-23T16:59:59+00:00", False),
        ("2026-12-23T17:00:00+00:00", True),
        ("2026-12-27T04:59:59+00:00", True),
        ("2026-12-27T05:00:00+00:00", False),
    ],
)
def test_a_span_holds_from_its_first_to_before_its_last_moment(moment: str, frozen: bool):
    """In whatever zone it is written; the end itself is free again."""
    end = window(HOLIDAYS).ends_after(at(moment))

    assert end == (at("2026-12-27T05:00:00+00:00") if frozen else None)


@pytest.mark.parametrize(
    ("moment", "frozen"),
    [
        ("2026-11-27T15:59:00+01:00", False),
        ("2026-11-27T16:00:00+01:00", True),
        ("2026-11-26T17:00:00+01:00", False),
        # In summer the same hour of the day is another of the world's.
        ("2026-07-03T14:30:00+00:00", True),
        ("2026-11-27T14:30:00+00:00", False),
    ],
)
def test_a_weekly_window_comes_back_in_its_own_time_zone(moment: str, frozen: bool):
    """Friday from four in Berlin, in winter and in summer."""
    assert (window(FRIDAYS).ends_after(at(moment)) is not None) is frozen


def test_of_two_windows_the_one_that_ends_last_is_told():
    """Who waits for the first would be refused again."""
    short = window('reason = "short"\nfrom = 2026-12-24T00:00:00Z\nuntil = 2026-12-24T12:00:00Z')
    found = frozen_by([short, window(HOLIDAYS)], at("2026-12-24T06:00:00+00:00"))

    assert found is not None
    assert found[0].reason == "holidays"


def test_outside_of_all_windows_nothing_is_frozen():
    """Nor without any."""
    now = at("2026-06-01T12:00:00+00:00")

    assert frozen_by([window(HOLIDAYS), window(FRIDAYS)], now) is None
    assert frozen_by([], now) is None


def test_the_end_is_told_as_a_moment_and_as_a_time_to_wait():
    """A person plans with the one and waits by the other."""
    end = datetime(2026, 12, 27, 5, tzinfo=UTC).timestamp()

    assert in_words(end, now=end - 90_000) == "until 2026-12-27 05:00 UTC, in 1 day, 1:00:00"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("from = 16:00:00", "from = 2026-11-27T16:00:00Z"), "times of day with days"),
        (('days = ["friday"]', "days = []"), "dates with a time zone without"),
        (("until = 23:59:59", "until = 15:00:00"), "until must come after from"),
        (("friday", "caturday"), "Input should be 'monday'"),
        (("Europe/Berlin", "Mars/Olympus"), "is no time zone"),
        (('reason = "no release before a weekend"', 'reason = ""'), "at least 1 character"),
    ],
)
def test_what_is_no_window_is_refused_with_what_would_be_one(
    change: tuple[str, str], complaint: str
):
    """A window that is never met would be found out on the day that it was for."""
    text = FRIDAYS.replace(*change)
    assert text != FRIDAYS

    with pytest.raises(ValidationError, match=complaint):
        window(text)
