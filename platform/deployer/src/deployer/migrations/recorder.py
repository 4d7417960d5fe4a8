"""Run a service's migrations with the kit, and write down what they do: a program, run by the release's Python.

`python recorder.py FILE SERVICE --phase expand`: every statement, which revision it is of, who wrote
it (the revision itself, a helper, or the runner), what its transaction holds by then, and the times of all that. It imports
the kit and SQLAlchemy, which the release has, and nothing of the deployer, which it has not.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import count
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from sqlalchemy import Engine, event

from platform_kit.migrations.__main__ import main

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Connection

TABLES = """
SELECT c.oid::int8, CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname,
       c.relfilenode::int8
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'v') AND n.nspname !~ '^pg_'
  AND n.nspname NOT IN ('information_schema', 'platform_kit')
  AND c.relname NOT IN ('alembic_version', 'schema_history')
"""
LOCKS = """
SELECT relation::int8, mode FROM pg_locks
WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
"""
# Everything of the schema that code can notice, as text: two equal ones are the same schema.
SHAPE = """
SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
  SELECT format('column %s.%s %s %s %s', c.relname, a.attname,
         format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)) AS line
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0
    AND NOT a.attisdropped AND c.relname NOT IN ('alembic_version', 'schema_history')
  UNION ALL
  SELECT format('constraint %s %s %s %s', conrelid::regclass, conname,
         pg_get_constraintdef(k.oid), convalidated)
  FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
  WHERE n.nspname = 'public' AND conrelid <> 0
    AND conrelid::regclass::text NOT IN ('alembic_version', 'schema_history')
  UNION ALL
  SELECT format('index %s %s', indexdef, x.indisvalid)
  FROM pg_indexes i JOIN pg_class c ON c.relname = i.indexname
  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = i.schemaname
  JOIN pg_index x ON x.indexrelid = c.oid
  WHERE i.schemaname = 'public' AND i.tablename NOT IN ('alembic_version', 'schema_history')
  UNION ALL
  SELECT format('trigger %s', pg_get_triggerdef(t.oid))
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND NOT t.tgisinternal
  UNION ALL
  SELECT format('view %s %s', c.relname, pg_get_viewdef(c.oid))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'public' AND c.relkind IN ('v', 'm')
  UNION ALL
  SELECT format('type %s %s', t.typname, array_agg(e.enumlabel ORDER BY e.enumsortorder))
  FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.typname
) AS lines
"""


class Recorder:
    """Listens to all engines of this process."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", encoding="utf-8")
        self._revision: str | None = None
        self._before: dict[int, tuple[str, int]] = {}
        self._numbers = count(1)
        self._open: set[int] = set()  # transactions with statements that were written down
        self._own_seconds = 0.0  # spent here, in the middle of transactions: none of theirs

    def before(
        self, connection: Connection, cursor: psycopg.Cursor, statement: str, *_: object
    ) -> None:
        """Look at the tables before a revision's first statement, and at the clock before each."""
        revision, _author = _whose()
        if revision is None:
            return
        asked = time.perf_counter()
        if revision != self._revision:
            self._revision = revision
            self._before = _tables(cursor)
        self._own_seconds += time.perf_counter() - asked
        connection.info["began"] = began = self._now()
        self._write(kind="began", revision=revision, sql=statement, at=began)

    def after(
        self,
        connection: Connection,
        cursor: psycopg.Cursor,
        statement: str,
        parameters: object,
        *_: object,
    ) -> None:
        """Write down what a statement did."""
        ended, asked = self._now(), time.perf_counter()
        self._note(connection, cursor, statement, parameters, ended=ended)
        self._own_seconds += time.perf_counter() - asked

    def _note(
        self,
        connection: Connection,
        cursor: psycopg.Cursor,
        statement: str,
        parameters: object,
        *,
        ended: float,
    ) -> None:
        """Write a statement down; the runner's line in its table ends a revision."""
        revision, author = _whose()
        if revision is None:
            named = _named(parameters) if "schema_history" in statement else None
            if named is not None and statement.lstrip().startswith(("INSERT", "DELETE")):
                self._write(kind="recorded", revision=named, shape=_shape(cursor))
            return
        alone = bool(cursor.connection.autocommit)
        if not alone:
            self._open.add(connection.info["transaction"])
        after = _tables(cursor)
        self._write(
            kind="statement",
            revision=revision,
            author=author,
            sql=statement,
            transaction=None if alone else connection.info["transaction"],
            began=connection.info["began"],
            ended=ended,
            locks={} if alone else self._locks(cursor),
            rewritten=sorted(
                name
                for oid, (name, file) in self._before.items()
                if oid in after and after[oid][1] != file
            ),
        )
        self._before = {oid: after[oid] for oid in self._before if oid in after}

    def begin(self, connection: Connection) -> None:
        """Number the transactions: there are several connections."""
        connection.info["transaction"] = next(self._numbers)

    def commit(self, connection: Connection) -> None:
        """Commit here, where it is seen when that is done; SQLAlchemy's own finds nothing left to do."""
        connection.connection.commit()
        self.end(connection)

    def end(self, connection: Connection) -> None:
        """Write down when a transaction gave its locks back."""
        number = connection.info["transaction"]
        if number in self._open:
            self._open.remove(number)
            self._write(kind="ended", transaction=number, at=self._now())

    def _now(self) -> float:
        """Return the time of the run: it stands still while something is looked up here."""
        return time.perf_counter() - self._own_seconds

    def _locks(self, cursor: psycopg.Cursor) -> dict[str, list[str]]:
        held: dict[str, list[str]] = {}
        for relation, mode in cursor.connection.execute(LOCKS).fetchall():
            if relation in self._before:
                held.setdefault(self._before[relation][0], []).append(mode)
        return held

    def _write(self, **row: object) -> None:
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()


def _tables(cursor: psycopg.Cursor) -> dict[int, tuple[str, int]]:
    rows = cursor.connection.execute(TABLES).fetchall()
    return {oid: (name, file) for oid, name, file in rows}


def _shape(cursor: psycopg.Cursor) -> str:
    row = cursor.connection.execute(SHAPE).fetchone()
    return str(row[0] or "") if row else ""


def _named(parameters: object) -> str | None:
    """Return the revision that a statement of the runner's is about."""
    if not isinstance(parameters, dict):
        return None
    value = parameters.get("revision", parameters.get("revision_1"))
    return None if value is None else str(value)


def _whose() -> tuple[str | None, str]:
    """Return the revision whose code is running, and whether a helper of the kit runs for it."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # no other way to know who called
    author = "revision"
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("platform_kit.migrations."):
            author = "helper"
        names = frame.f_globals
        if "down_revision" in names and "upgrade" in names and "revision" in names:
            return str(names["revision"]), author
        frame = frame.f_back
    return None, "runner"


def record(file: Path, arguments: list[str]) -> None:
    """Run the kit's program with everything written down."""
    recorder = Recorder(file)
    event.listen(Engine, "before_cursor_execute", recorder.before)
    event.listen(Engine, "after_cursor_execute", recorder.after)
    event.listen(Engine, "begin", recorder.begin)
    event.listen(Engine, "commit", recorder.commit)
    event.listen(Engine, "rollback", recorder.end)
    main(arguments)


if __name__ == "__main__":
    record(Path(sys.argv[1]), sys.argv[2:])
