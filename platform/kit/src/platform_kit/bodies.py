"""The JSON body of the current request, as a model.

A client of an older version sends an older shape. It is checked as that, so that a refusal names the fields that were sent,
and then taken up to the model that the handler knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from flask import g, request
from pydantic import BaseModel, BeforeValidator, ValidationError

from platform_kit.problems import Problem, invalid

if TYPE_CHECKING:
    from platform_kit.api.operation import Shape

Model = TypeVar("Model", bound=BaseModel)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# For a strict `int`. JSON has one kind of number: 3.0 is 3, to JSON Schema too. A text is none, and true is not 1.
Whole = BeforeValidator(_whole)


def parse(model: type[Model]) -> Model:
    """Return the current request's JSON body as a `model`; raise a 415, 400 or 422 `Problem`."""
    if not request.is_json:
        raise Problem(415, "json_expected", "Send the body as application/json.")
    shape: Shape | None = g.get("platform_shape")
    if shape is None or not shape.steps:
        return _checked(model)
    return model.model_validate(shape.up(_checked(shape.body or model)))


def _checked(model: type[Model]) -> Model:
    try:
        return model.model_validate_json(request.get_data())
    except ValidationError as error:
        if error.errors(include_input=False)[0]["type"] == "json_invalid":
            raise Problem(400, "json_malformed", "The body is not valid JSON.") from error
        raise invalid(error) from error
