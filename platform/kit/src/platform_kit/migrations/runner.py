"""Upgrade one phase of a service's schema, one runner at a time.

The lock is a session's, on a connection of its own: taken on Alembic's connection it would open a transaction
that Alembic does not know of. Those who wait ask again and again rather than inside one statement: that
statement's snapshot would hold up CREATE INDEX CONCURRENTLY in the runner that has the lock.
"""

from __future__ import annotations

import io
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, func, select
from sqlalchemy.pool import NullPool

from platform_kit.database import engine as engine_for
from platform_kit.errors import PhaseUnknown
from platform_kit.migrations.location import migrations_directory
from platform_kit.schema import metadata, schema_history

# One lock a database, and a database belongs to one service: the number only has to differ from the service's own.
LOCK = zlib.crc32(b"platform_kit.migrations")
LOCK_RETRY_SECONDS = 0.2
CONNECT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What a run did: the heads before and after, and the revisions applied, in their order."""

    service: str
    phase: str
    before: list[str]
    after: list[str]
    applied: list[str]


def upgrade(service: str, *, phase: str, database_url: str | Path) -> Upgrade:
    """Upgrade to the phase's head. Waits for a runner that is at work; does nothing where nothing is to do.

    `database_url` is the URL, or the file that holds it.
    """
    config = _config(service)
    if phase not in _labels(config):
        raise PhaseUnknown(service, phase=phase)
    engine = _engine(database_url)
    with _locked(engine):
        metadata.create_all(engine)
        before, known = _heads(engine), _recorded(engine)
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, f"{phase}@head")
        after = _heads(engine)
        applied = [revision for revision in _recorded(engine) if revision not in known]
    return Upgrade(service, phase, before, after, applied)


def _config(service: str) -> Config:
    # What Alembic prints is talk, and stdout is for the result.
    config = Config(stdout=io.StringIO())
    folder = str(migrations_directory(service))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    return config


def _labels(config: Config) -> set[str]:
    script = ScriptDirectory.from_config(config)
    return {label for revision in script.walk_revisions() for label in revision.branch_labels}


def _engine(database_url: str | Path) -> Engine:
    return engine_for(
        database_url, poolclass=NullPool, connect_args={"connect_timeout": CONNECT_SECONDS}
    )


@contextmanager
def _locked(engine: Engine) -> Iterator[None]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.scalar(select(func.pg_try_advisory_lock(LOCK))):
            time.sleep(LOCK_RETRY_SECONDS)
        yield
        # The session's end gives the lock back, also when the upgrade failed.


def _heads(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return sorted(MigrationContext.configure(connection).get_current_heads())


def _recorded(engine: Engine) -> list[str]:
    in_order = select(schema_history.c.revision).order_by(schema_history.c.applied_at)
    with engine.connect() as connection:
        return list(connection.scalars(in_order))
