"""An outbox, an inbox whose effect can be counted, and a line between the two that fails on demand."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from platform_kit import Database
from platform_kit.events import Inbox, Relay, write

sys.path.insert(0, str(Path(__file__).parent))  # for the module beside this one

from telling import Line, count, effects, inbox, metadata, outbox


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, pool_size=20)
    with database.begin() as connection:
        metadata.create_all(connection)
    yield database
    database.dispose()


@pytest.fixture
def tell(database: Database) -> Callable[..., Any]:
    """Write an event that is due, and return its id."""

    def tell(name: str, *, key: str | None = None, version: int = 1, type_: str = "Told") -> Any:
        with database.begin() as connection:
            return write(
                connection,
                outbox,
                type_=type_,
                version=version,
                key=key or name,
                data={"name": name},
            )

    return tell


@pytest.fixture
def consumer(database: Database) -> Inbox:
    return Inbox(database, inbox, {("Told", 1): count})


@pytest.fixture
def line(consumer: Inbox) -> Line:
    return Line(consumer)


@pytest.fixture
def relay(database: Database, line: Line) -> Relay:
    return Relay(database, outbox, line)


@pytest.fixture
def times(database: Database) -> Callable[[], dict[str, int]]:
    """How often each event had its effect."""

    def read() -> dict[str, int]:
        with database.connect() as connection:
            return dict(connection.execute(select(effects.c.name, effects.c.times)).all())

    return read


@pytest.fixture
def waiting(database: Database) -> Callable[[], list[str]]:
    """The keys of what is in the outbox, in the order of writing."""

    def read() -> list[str]:
        with database.connect() as connection:
            return list(
                connection.execute(select(outbox.c.key).order_by(outbox.c.number)).scalars()
            )

    return read


@pytest.fixture
def age(database: Database) -> Callable[..., None]:
    """Let time go by, for all that is in the outbox and the inbox."""

    def age(by: Any) -> None:
        with database.begin() as connection:
            connection.execute(
                update(outbox).values(
                    due_at=outbox.c.due_at - by, written_at=outbox.c.written_at - by
                )
            )
            connection.execute(update(inbox).values(received_at=inbox.c.received_at - by))

    return age


@pytest.fixture
def many_received(database: Database) -> Callable[[int], None]:
    """Note that many events had their effect."""

    def receive(number: int) -> None:
        ids = select(func.gen_random_uuid(), func.concat("Told")).select_from(
            func.generate_series(1, number)
        )
        with database.begin() as connection:
            connection.execute(insert(inbox).from_select(["id", "type"], ids))

    return receive


@pytest.fixture
def together() -> Callable[[Sequence[Callable[[], Any]]], list[Any]]:
    """Call functions in a thread each, all at the same moment, and return their results."""

    def run(functions: Sequence[Callable[[], Any]]) -> list[Any]:
        start = threading.Barrier(len(functions))

        def wait_and_call(function: Callable[[], Any]) -> Any:
            start.wait(timeout=20)
            return function()

        with ThreadPoolExecutor(len(functions)) as threads:
            return list(threads.map(wait_and_call, functions, timeout=60))

    return run
