"""The service's database: SQLAlchemy Core on psycopg, with limits on how long anything waits.

Where the URL is in a file, every new connection reads it: a password that is rotated reaches an instance that
runs, also a standby that nobody restarts. Connections that are open stay; PostgreSQL asks for a password once.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from platform_kit.errors import DatabaseUnreachable

DRIVER = "postgresql+psycopg"
_CONNECT_ARGS: dict[str, object] = {
    "connect_timeout": 2,  # seconds; libpq takes no less
    # A host that vanished is noticed in 10 + 3 * 3 s instead of the system's two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}


class Database:
    """An engine for one database. Opens no connection before the first use."""

    def __init__(self, url: str | Path, *, pool_size: int = 8) -> None:
        """Take a `postgresql://` URL or the file with it; `pool_size` is how many threads use it at once."""
        self._engine = engine(
            url,
            pool_size=pool_size,
            max_overflow=4,  # readiness checks and background work, when all threads are busy
            pool_timeout=5,  # seconds until a thread gives up; the router's clients wait no longer
            pool_pre_ping=True,
            hide_parameters=True,  # a failed statement is logged; what it carried may be secret
            connect_args=_CONNECT_ARGS,
        )

    def begin(self) -> AbstractContextManager[Connection]:
        """Return a connection in a transaction: committed at the end, rolled back on an exception."""
        return self._engine.begin()

    def connect(self) -> Connection:
        """Return a connection for use as a context manager; the caller commits."""
        return self._engine.connect()

    def ping(self, timeout_seconds: float) -> None:
        """Make a round trip, raise `DatabaseUnreachable` if it fails or the server takes longer."""
        milliseconds = max(1, round(timeout_seconds * 1000))
        try:
            with self.begin() as connection:
                connection.execute(text(f"SET LOCAL statement_timeout = {milliseconds}"))
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            raise DatabaseUnreachable(_cause(error)) from error

    def dispose(self) -> None:
        """Close the pool's connections."""
        self._engine.dispose()


def engine(url: str | Path, **options: Any) -> Engine:  # noqa: ANN401 - SQLAlchemy's own options
    """Return an engine for a `postgresql://` URL or for the file that holds it, read at every connect.

    Connecting raises `DatabaseUnreachable` when there is no URL in the file.
    """
    if isinstance(url, str):
        return create_engine(_with_driver(url), **options)
    made = create_engine(f"{DRIVER}://", **options)

    def connect(
        dialect: Dialect, _record: object, _arguments: object, parameters: dict[str, Any]
    ) -> DBAPIConnection:
        arguments, named = dialect.create_connect_args(_with_driver(_url_in(url)))
        return dialect.connect(*arguments, **{**parameters, **named})

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


def _cause(error: SQLAlchemyError) -> str:
    original = getattr(error, "orig", None) or error
    return str(original).splitlines()[0]
