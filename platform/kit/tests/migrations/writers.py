"""Old and new code, writing to one table for as long as a block lasts, and remembering what they wrote."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any, Self

import psycopg


class Writer(threading.Thread):
    """Code of one release. It inserts and updates rows of its own, through the columns it knows.

    `wrote` has the last value of every row by its key, as the database has acknowledged it.
    """

    def __init__(
        self,
        url: str,
        *,
        table: str,
        columns: tuple[str, ...],
        make: Callable[[int], tuple[Any, ...]],
    ) -> None:
        super().__init__(daemon=True)
        self.wrote: dict[int, tuple[Any, ...]] = {}
        self.longest_seconds = 0.0
        self.failed: BaseException | None = None
        self._url, self._make = url, make
        names = ", ".join(columns)
        marks = ", ".join(["%s"] * len(columns))
        self._insert = f"INSERT INTO {table} ({names}) VALUES ({marks}) RETURNING id"
        self._update = f"UPDATE {table} SET ({names}) = ROW ({marks}) WHERE id = %s"
        self._stop_asked = threading.Event()
        self._rng = random.Random(7)

    def run(self) -> None:
        try:
            with psycopg.connect(self._url, autocommit=True) as connection:
                number = 0
                while not self._stop_asked.wait(0.001):
                    number += 1
                    began = time.monotonic()
                    self._write(connection, number)
                    self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)
        except BaseException as error:  # noqa: BLE001 - told in the test's own thread
            self.failed = error

    def _write(self, connection: psycopg.Connection, number: int) -> None:
        values = self._make(number)
        if number % 3 == 0:
            key = self._rng.choice(tuple(self.wrote))
            connection.execute(self._update, [*values, key])
        else:
            (key,) = connection.execute(self._insert, values).fetchone()
        self.wrote[key] = values

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_asked.set()
        self.join()
        if self.failed is not None:
            raise self.failed
