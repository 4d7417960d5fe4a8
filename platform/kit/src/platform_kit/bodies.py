"""The JSON body of the current request, as a model."""

from __future__ import annotations

from typing import TypeVar

from flask import request
from pydantic import BaseModel, ValidationError

from platform_kit.problems import Problem, invalid

Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model]) -> Model:
    """Return the current request's JSON body as a `model`; raise a 415, 400 or 422 `Problem`."""
    if not request.is_json:
        raise Problem(415, "json_expected", "Send the body as application/json.")
    try:
        return model.model_validate_json(request.get_data())
    except ValidationError as error:
        if error.errors(include_input=False)[0]["type"] == "json_invalid":
            raise Problem(400, "json_malformed", "The body is not valid JSON.") from error
        raise invalid(error) from error
