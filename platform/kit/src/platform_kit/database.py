"""The service's database: SQLAlchemy Core on psycopg, with limits on how long anything waits.

Where the URL is in a file, every new connection reads it: a password that is rotated reaches an instance that
runs, also a standby that nobody restarts. Connections that are open stay; PostgreSQL asks for a password once.

A database that is away, hung or talks nonsense is a `DatabaseUnreachable`, soon, and never takes all threads: it is a
dependency like another service, with a bulkhead and a circuit.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import psycopg
from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from platform_kit.bulkhead import Bulkhead, share_of_threads
from platform_kit.connections import (
    CONNECT_SECONDS,
    ROUND_TRIP_SECONDS,
    BoundedConnection,
    NoAnswer,
)
from platform_kit.dependency import Dependency, Outcome
from platform_kit.errors import DatabaseUnreachable, NotCalled

DRIVER = "postgresql+psycopg"
_CONNECT_ARGS: dict[str, object] = {
    "connect_timeout": CONNECT_SECONDS,
    # A host that vanished is noticed in 10 + 3 * 3 s instead of the system's two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}

# PostgreSQL's classes of errors that are none of the statement's: connection, resources, shutdown
# (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_AWAY = ("08", "53", "57P")
# More patience than with other services: nearly every request needs the database, so there is little to save from it.
LONG_SECONDS = 1.0


class Database:
    """An engine for one database. Opens no connection before the first use."""

    def __init__(self, url: str | Path, *, pool_size: int = 8) -> None:
        """Take a `postgresql://` URL or the file with it; `pool_size` is how many threads use it at once."""
        places = Bulkhead(min(pool_size, share_of_threads()), long_seconds=LONG_SECONDS)
        self.dependency = Dependency("database", bulkhead=places)
        self._engine = engine(
            url,
            connection_class=BoundedConnection,
            pool_size=pool_size,
            max_overflow=4,  # readiness checks and background work, when all threads are busy
            pool_timeout=5,  # seconds until a thread gives up; the router's clients wait no longer
            pool_pre_ping=True,
            hide_parameters=True,  # a failed statement is logged; what it carried may be secret
            connect_args=_CONNECT_ARGS,
        )

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Give a connection in a transaction: committed at the end, rolled back on an exception.

        Raises `DatabaseUnreachable` when there is no answer, or too many wait for one already.
        """
        with self._asked(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Give a connection; the caller commits. Raises as `begin` does."""
        with self._asked(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def checking(self) -> Iterator[Connection]:
        """Give a connection for a readiness check, also when requests are refused theirs."""
        with self._engine.begin() as connection:
            yield connection

    def ping(self, timeout_seconds: float) -> None:
        """Make a round trip, raise `DatabaseUnreachable` if it fails or the server takes longer."""
        milliseconds = max(1, round(timeout_seconds * 1000))
        try:
            with self.checking() as connection:
                connection.execute(text(f"SET LOCAL statement_timeout = {milliseconds}"))
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            raise DatabaseUnreachable(_cause(error)) from error

    def dispose(self) -> None:
        """Close the pool's connections."""
        self._engine.dispose()

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Take a place and pass the circuit; say how it went, in the kit's words where there was no answer."""
        try:
            with self.dependency.call() as call:
                try:
                    yield
                except DatabaseUnreachable:  # there was no URL to connect to
                    call.outcome = Outcome.FAILED
                    raise
                except SQLAlchemyError as error:
                    call.outcome = _outcome(error)
                    if call.outcome is Outcome.ANSWERED:
                        raise
                    raise DatabaseUnreachable(_cause(error)) from error
        except NotCalled as refused:
            after = refused.retry_after_seconds
            raise DatabaseUnreachable(refused.cause, retry_after_seconds=after) from refused


def engine(
    url: str | Path,
    *,
    connection_class: type[psycopg.Connection[Any]] = psycopg.Connection,
    **options: Any,  # noqa: ANN401 - SQLAlchemy's own options
) -> Engine:
    """Return an engine for a `postgresql://` URL or for the file that holds it, read at every connect.

    Connecting raises `DatabaseUnreachable` when there is no URL in the file.
    """
    made = create_engine(_with_driver(url) if isinstance(url, str) else f"{DRIVER}://", **options)

    def connect(
        dialect: Dialect,
        _record: object,
        arguments: Sequence[Any],
        parameters: dict[str, Any],
    ) -> DBAPIConnection:
        named: MutableMapping[str, Any] = {}
        if isinstance(url, Path):
            arguments, named = dialect.create_connect_args(_with_driver(_url_in(url)))
        opened = connection_class.connect(*arguments, **{**parameters, **named})
        return cast("DBAPIConnection", opened)

    event.listen(made, "do_connect", connect)
    return made


def _with_driver(url: str) -> URL:
    return make_url(url).set(drivername=DRIVER)


def _url_in(file: Path) -> str:
    """Return the URL in a file; what is wrong with it is said without its text, which holds a password."""
    try:
        url = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise DatabaseUnreachable(f"no URL in {file}: {reason}") from error
    if not url:
        raise DatabaseUnreachable(f"no URL in {file}: it is empty")
    try:
        valid = make_url(url).drivername == "postgresql"
    except (ArgumentError, ValueError):
        valid = False
    if not valid:
        raise DatabaseUnreachable(f"no URL in {file}: it is not one of the form postgresql://...")
    return url


def _outcome(error: SQLAlchemyError) -> Outcome:
    """Tell what the server said from what says that there was no answer."""
    if isinstance(error, PoolTimeout):
        return Outcome.FAILED
    if not isinstance(error, DBAPIError):
        return Outcome.ANSWERED
    original = error.orig
    if isinstance(original, NoAnswer):
        was_fair = original.seconds >= ROUND_TRIP_SECONDS / 2
        return Outcome.TIMED_OUT if was_fair else Outcome.CUT_SHORT
    if isinstance(original, psycopg.errors.ConnectionTimeout):
        return Outcome.TIMED_OUT
    return Outcome.FAILED if _is_away(error, original) else Outcome.ANSWERED


def _is_away(error: DBAPIError, original: BaseException | None) -> bool:
    state = getattr(original, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(_AWAY)
    has_no_word = isinstance(original, (psycopg.OperationalError, psycopg.InterfaceError))
    return error.connection_invalidated or has_no_word


def _cause(error: SQLAlchemyError) -> str:
    original = getattr(error, "orig", None) or error
    return str(original).splitlines()[0]
