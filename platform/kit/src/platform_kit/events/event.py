"""An event as it goes from one service to another."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from platform_kit.bodies import Whole
from platform_kit.problems import invalid

Model = TypeVar("Model", bound=BaseModel)

# Goes into logs, labels and tables as it is.
EventType = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$", max_length=64)]

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")


def _no_number(value: object) -> object:
    """Refuse seconds since 1970, which pydantic takes for a moment: the document says `date-time`."""
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE.match(value)):
        return value
    message = "write the moment as RFC 3339 has it, 2030-01-31T12:00:00Z"
    raise ValueError(message)


Moment = Annotated[AwareDatetime, BeforeValidator(_no_number)]


class Event(BaseModel):
    """Something that has happened. `key` names what it happened to: the events of one key are delivered in order.

    `version` is that of the shape of `data`. It rises when a consumer of before could not read the new shape rightly;
    a field that it may ignore raises nothing.
    """

    model_config = ConfigDict(frozen=True)

    id: UUID
    type: EventType
    version: Annotated[int, Field(strict=True, ge=1, le=1_000_000), Whole]
    key: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    at: Moment
    data: dict[str, Any]


def read(event: Event, model: type[Model]) -> Model:
    """Return the event's `data` as a model; raise a 422 `Problem` that names the fields if it is none."""
    try:
        return model.model_validate(event.data)
    except ValidationError as error:
        raise invalid(error) from error
