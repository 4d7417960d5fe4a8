"""An operation of a service's interface: one handler, and what goes in and out of it in each version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import getdoc

from pydantic import BaseModel

from platform_kit.api.change import Body, Translation

# What a handler returns: a model or nothing, with a status where it is not the operation's first one, and headers.
Answered = (
    BaseModel
    | None
    | tuple[BaseModel | None, int]
    | tuple[BaseModel | None, int, Mapping[str, str]]
)
Handler = Callable[..., Answered]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as its handler has it: in the newest shape."""

    handler: Handler
    method: str
    path: str
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    headers: type[BaseModel] | None
    answer: type[BaseModel] | None
    statuses: tuple[int, ...]
    answer_headers: Mapping[str, str]
    refusals: Mapping[int, Sequence[str]]
    secured: bool

    @property
    def name(self) -> str:
        """The handler's name, by which changes and documents call the operation."""
        return self.handler.__name__

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (getdoc(self.handler) or self.name).splitlines()[0]


@dataclass(frozen=True, slots=True)
class Shape:
    """An operation as the clients of one version see it, with the steps that lead to the handler."""

    operation: Operation
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    answer: type[BaseModel] | None
    steps: tuple[Translation, ...]

    @classmethod
    def of(cls, operation: Operation, steps: tuple[Translation, ...]) -> Shape:
        """Return the shape below these steps: of each kind, the first that one of them names."""
        queries = [step.query for step in steps if step.query]
        bodies = [step.body for step in steps if step.body]
        answers = [step.answer for step in steps if step.answer]
        return cls(
            operation=operation,
            query=queries[0] if queries else operation.query,
            body=bodies[0] if bodies else operation.body,
            answer=answers[0] if answers else operation.answer,
            steps=steps,
        )

    def up(self, sent: BaseModel) -> Body:
        """Return a request's body in the newest shape: the fields that were sent, and what follows from them."""
        body = sent.model_dump(exclude_unset=True)
        for step in self.steps:
            body = step.request(body)
        return body

    def up_query(self, asked: BaseModel) -> Body:
        """Return a request's query in the newest shape: what was asked for, and what follows from it."""
        query = asked.model_dump(exclude_unset=True)
        for step in self.steps:
            query = step.asked(query)
        return query

    def down(self, body: Body) -> Body:
        """Return an answer's body in this version's shape."""
        for step in reversed(self.steps):
            body = step.response(body)
        return body
