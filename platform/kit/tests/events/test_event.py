"""What an event is, and what is none."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from pydantic import BaseModel, ValidationError

from platform_kit import Problem
from platform_kit.events import Event, read
from platform_kit.events.outbox import LONGEST_PAUSE_SECONDS, pause_seconds


class Told(BaseModel):
    """What is told."""

    name: str


def event(**changes):
    whole = {"id": uuid4(), "type": "Told", "version": 1, "key": "k", "data": {"name": "tea"}}
    return Event(**{**whole, "at": datetime.now(UTC), **changes})


def test_an_event_comes_out_of_json_as_it_went_in():
    """With its id, its time and all of its data."""
    sent = event()

    assert Event.model_validate_json(sent.model_dump_json()) == sent


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "told"},
        {"type": "A" * 65},
        {"type": "Told twice"},
        {"version": 0},
        {"version": True},
        {"key": ""},
        {"key": "k" * 129},
        {"id": "seven"},
        {"at": datetime(2026, 1, 1)},  # noqa: DTZ001 - without a zone it is no moment
    ],
)
def test_what_is_no_event_is_refused(wrong):
    """By whoever writes it, before anybody has to receive it."""
    with pytest.raises(ValidationError):
        event(**wrong)


def test_data_is_read_as_a_model_and_what_it_may_ignore_is_ignored():
    """A field more is the same version."""
    assert read(event(data={"name": "tea", "new": 1}), Told) == Told(name="tea")


def test_data_that_is_not_of_its_shape_is_a_422():
    """It names the field."""
    with pytest.raises(Problem) as refused:
        read(event(data={"name": 7}), Told)

    assert (refused.value.status, refused.value.code) == (422, "invalid_request")
    assert refused.value.extra["errors"][0]["field"] == "name"


def test_pauses_double_up_to_a_minute():
    """However often it was tried; less up to half."""
    for attempts, longest in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (100_000, 60)]:
        pauses = [pause_seconds(attempts) for _ in range(200)]

        assert longest / 2 <= min(pauses) <= max(pauses) <= longest
        assert len(set(pauses)) > 100
    assert LONGEST_PAUSE_SECONDS == 60
