"""Deadlines: what is left, in the thread and in the header."""

import pytest

from platform_kit import deadline
from platform_kit.deadline import (
    Deadline,
    current_deadline,
    parse,
    remaining_seconds,
    render,
    within,
)


@pytest.mark.parametrize(
    ("header", "seconds"), [("1", 0.001), ("1500", 1.5), ("0250", 0.25), ("99999999", 99999.999)]
)
def test_the_header_is_in_milliseconds(header, seconds):
    """Of time that is left, not a moment: clocks need not agree."""
    assert parse(header) == seconds


@pytest.mark.parametrize(
    "header",
    ["", "0", "000", "-1", "+1", "1.5", "1e3", "1s", " 1", "1\n", "100000000", "\u0661", "1, 2"],
)
def test_what_is_no_such_number_is_none(header):
    """Among them zero, nine digits, digits of another script, and two headers made one."""
    assert parse(header) is None


def test_rendering_rounds_down():
    """More than there is must not be promised."""
    assert render(1.9999) == "1999"


def test_a_deadline_comes_nearer(clock):
    """And is over at last."""
    late = Deadline.after(2, clock)
    clock.now += 3

    assert late.remaining_seconds() == -1


def test_outside_of_everything_nobody_waits():
    """A sweeper has all the time it wants."""
    assert (current_deadline(), remaining_seconds(7)) == (None, 7)


def test_a_nearer_deadline_holds_inside_its_block():
    """And the one of before after it."""
    with within(50):
        with within(5):
            inside = remaining_seconds(100)
        outside = remaining_seconds(100)

    assert 4 < inside <= 5
    assert 49 < outside <= 50


def test_a_farther_deadline_changes_nothing():
    """Nobody can give more time than there is."""
    with within(5), within(50):
        assert remaining_seconds(100) <= 5


def test_a_deadline_that_passed_leaves_less_than_nothing():
    """Whoever asks sees that it is over."""
    before = deadline.current.set(Deadline.after(-1))
    left = remaining_seconds(100)
    deadline.current.reset(before)

    assert left < 0
