"""The service's database: SQLAlchemy Core on psycopg, with limits on how long anything waits."""

from __future__ import annotations

from contextlib import AbstractContextManager

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from platform_kit.errors import DatabaseUnreachable

_CONNECT_ARGS: dict[str, object] = {
    "connect_timeout": 2,  # seconds; libpq takes no less
    # A host that vanished is noticed in 10 + 3 * 3 s instead of the system's two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}


class Database:
    """An engine for one database. Opens no connection before the first use."""

    def __init__(self, url: str, *, pool_size: int = 8) -> None:
        """Take a `postgresql://` URL; `pool_size` is the number of threads that use it at once."""
        self._engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
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


def _cause(error: SQLAlchemyError) -> str:
    original = getattr(error, "orig", None) or error
    return str(original).splitlines()[0]
