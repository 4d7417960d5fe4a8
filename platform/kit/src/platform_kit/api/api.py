"""A service's interface: its versions, what each changed, and its handlers, declared beside what they take and give.

One set of handlers serves all versions. They are written for the newest shape; the changes lead from and to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from pydantic import BaseModel

from platform_kit.api.change import Change, ordered, steps_from
from platform_kit.api.operation import Handler, Operation, Shape
from platform_kit.api.version import Version

Clock = Callable[[], datetime]

NO_REFUSALS: Mapping[int, Sequence[str]] = {}
NO_HEADERS: Mapping[str, str] = {}


def utc_now() -> datetime:
    """Return the time of the system's clock."""
    return datetime.now(UTC)


class Api:
    """The interface of one service; `operation` adds a handler.

    `preview_enabled` is asked at every request of a preview; without it, PLATFORM_API_PREVIEW decides.
    """

    def __init__(
        self,
        versions: Sequence[Version],
        changes: Sequence[Change] = (),
        *,
        preview_enabled: Callable[[], bool] | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """Take the versions, and a change for each but the oldest; raise `ValueError` for any other set."""
        self.versions = tuple(sorted(versions, key=lambda version: version.number))
        self.changes = ordered(self.versions, changes)
        self.current = _current(self.versions)
        self.preview_enabled = preview_enabled
        self.clock = clock
        self.operations: list[Operation] = []

    def operation(  # noqa: PLR0913  # the parts of an operation, each by its name
        self,
        call: str,
        *,
        body: type[BaseModel] | None = None,
        query: type[BaseModel] | None = None,
        headers: type[BaseModel] | None = None,
        answer: type[BaseModel] | None = None,
        statuses: Sequence[int] = (200,),
        answer_headers: Mapping[str, str] = NO_HEADERS,
        refusals: Mapping[int, Sequence[str]] = NO_REFUSALS,
        secured: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Declare what the decorated handler answers, by method and path: `PUT /products/<int:product_id>`.

        The handler reads `body` with `parse`, `query` with `parse_query`, and `headers`, which the document names by
        their aliases, as it likes. `statuses` are those of success, the usual one first, and `answer_headers` go along
        with them; `refusals` are the codes of the handler's own problems by their status. What the kit refuses by
        itself needs no mention.
        """
        method, _, path = call.partition(" ")

        def declare(handler: Handler) -> Handler:
            self.operations.append(
                Operation(
                    handler=handler,
                    method=method,
                    path=path,
                    body=body,
                    query=query,
                    headers=headers,
                    answer=answer,
                    statuses=tuple(statuses),
                    answer_headers=answer_headers,
                    refusals=refusals,
                    secured=secured,
                )
            )
            return handler

        return declare

    def shapes(self, version: Version) -> tuple[Shape, ...]:
        """Return the operations as a version's clients see them; raise `ValueError` if a change is of none."""
        names = {operation.name for operation in self.operations}
        for change in self.changes:
            if unknown := change.operations.keys() - names:
                raise ValueError(
                    f"{change.version} changes {sorted(unknown)}, which is no operation"
                )
        return tuple(
            Shape.of(operation, steps_from(self.changes, version, operation.name))
            for operation in self.operations
        )


def _current(versions: Sequence[Version]) -> Version:
    """Return the version that clients are meant to call: the newest one that stays."""
    staying = [each for each in versions if each.deprecated is None and not each.preview]
    if not staying:
        raise ValueError("one version has to be there that is neither deprecated nor a preview")
    return staying[-1]
