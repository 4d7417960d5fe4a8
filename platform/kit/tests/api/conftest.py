"""A small interface in three versions, with a clock that is set by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from platform_kit import Problem, parse, parse_query
from platform_kit.api import Api, Change, Translation, Version

DEPRECATED = datetime(2023, 6, 30, 23, 59, 59, tzinfo=UTC)
SUNSET = datetime(2024, 6, 30, 23, 59, 59, tzinfo=UTC)


class Thing(BaseModel):
    """A thing, now."""

    id: int
    sizes: list[int]


class ThingChange(BaseModel):
    """A thing to write, now."""

    sizes: list[int]


class OneSize(BaseModel):
    """A thing as v1 had it: one size."""

    id: int
    size: int


class OneSizeChange(BaseModel):
    """A thing to write as v1 had it."""

    size: int


class Page(BaseModel):
    """The query of a list."""

    limit: Annotated[int, Field(description="how many at most")] = 20
    size: Annotated[int, Field(ge=1)] | None = None


class PlainPage(BaseModel):
    """The query of a list that could not be searched."""

    limit: int = 20


class OldPage(BaseModel):
    """The query of a list as v1 had it."""

    count: int = 20


class Hurry(BaseModel):
    """The headers of a list."""

    within: Annotated[str, Field(alias="X-Within", pattern="^[0-9]+$")]


CHANGES = (
    Change(
        "v2",
        says="Write sizes, a list, instead of size.",
        operations={
            "write_thing": Translation(
                body=OneSizeChange,
                request=lambda body: {"sizes": [body["size"]]},
                answer=OneSize,
                response=lambda body: {"id": body["id"], "size": body["sizes"][0]},
            ),
            "list_things": Translation(query=PlainPage),
            "find_things": Translation(
                query=OldPage,
                asked=lambda query: {"limit": query["count"]} if "count" in query else {},
            ),
        },
    ),
    Change("v3", says="Nothing yet.", operations={}),
)


@dataclass
class World:
    """What a test may turn."""

    now: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    preview: bool = True
    heard: list[object] = field(default_factory=list)


@pytest.fixture
def world():
    return World()


@pytest.fixture
def api(world):
    api = Api(
        [Version("v3", preview=True), Version("v1", DEPRECATED, SUNSET), Version("v2")],
        CHANGES,
        preview_enabled=lambda: world.preview,
        clock=lambda: world.now,
    )

    @api.operation(
        "PUT /things/<int:thing_id>",
        body=ThingChange,
        answer=Thing,
        statuses=(200, 201),
        answer_headers={"Cache-Control": "no-store"},
        refusals={409: ["thing_taken"]},
        secured=True,
    )
    def write_thing(thing_id):
        """Write a thing."""
        sizes = parse(ThingChange).sizes
        world.heard.append(sizes)
        if thing_id == 9:
            raise Problem(409, "thing_taken", "Somebody has it.")
        return Thing(id=thing_id, sizes=sizes), 201 if thing_id == 7 else 200

    @api.operation("DELETE /things/<int:thing_id>", statuses=(204,))
    def delete_thing(thing_id):
        world.heard.append(thing_id)

    @api.operation("GET /things", query=Page, answer=Thing)
    def list_things():
        """List things."""
        world.heard.append(parse_query(Page))
        return Thing(id=1, sizes=[])

    @api.operation(
        "GET /found",
        query=Page,
        headers=Hurry,
        answer=Thing,
        refusals={422: ["too_hurried"]},
    )
    def find_things():
        """Find things."""
        world.heard.append(parse_query(Page).limit)
        return Thing(id=1, sizes=[]), 200, {"X-Found": "1"}

    return api


@pytest.fixture
def app(make_app, api):
    return make_app(api=api)


@pytest.fixture
def client(app):
    return app.test_client()
