"""The query of the current request, as a model: checked in the shape of the version that was called, as bodies are."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from flask import g, request
from pydantic import BaseModel

if TYPE_CHECKING:
    from platform_kit.api.operation import Shape

Model = TypeVar("Model", bound=BaseModel)


def parse_query(model: type[Model]) -> Model:
    """Return the current request's query as a `model`; raise `ValidationError`, which is answered with 422.

    A name that the model does not have is ignored, and of one that is there twice the first counts.
    """
    asked = request.args.to_dict()
    shape: Shape | None = g.get("platform_shape")
    if shape is None or shape.query in {None, model}:
        return model.model_validate(asked)
    return model.model_validate(shape.up_query(shape.query.model_validate(asked)))
