"""What a change of a table costs its readers while a transaction of 5 s is open: guarded, and by Alembic alone.

The change takes a millisecond, but waits for the transaction, and every reader waits behind it. Prints one JSON object, in
milliseconds; `added_ms` is what the slowest reader waited longer than the slowest without any change.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import psycopg
from shop import Client, Shop, milliseconds, shop

READ = "SELECT name FROM things WHERE id = %s"
READERS = 8
GUARDED = 'migrations.add_column("things", sa.Column("guarded", sa.Text))'
PLAIN = 'op.add_column("things", sa.Column("plain", sa.Text))'
# As Alembic's own program would: a transaction, the operation, nothing else.
BARE = """
import os, sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
url = sa.make_url(os.environ["SHOP_DATABASE_URL"]).set(drivername="postgresql+psycopg")
with sa.create_engine(url).begin() as connection:
    Operations(MigrationContext.configure(connection)).add_column("things", sa.Column("bare", sa.Text))
"""
GOAL_ADDED_MILLISECONDS = 110.0


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def hold(url: str, seconds: float, holding: threading.Event) -> None:
    """Be the report that reads the table, and does not end its transaction for so long after somebody waits."""
    with psycopg.connect(url) as connection, psycopg.connect(url, autocommit=True) as watching:
        connection.execute("SELECT 1 FROM things LIMIT 1")
        holding.set()
        patience = time.monotonic() + seconds
        while time.monotonic() < patience and watching.execute(WAITING).fetchone() == (0,):
            time.sleep(0.005)  # a program takes a second to start: not a part of it
        time.sleep(seconds)


def beside(at: Shop, rows: int, seconds: float, change: Callable[[], object]) -> dict[str, float]:
    """Change the table while the transaction is open; return what the readers felt until both are over."""
    readers = [Client(at.url, READ, rows, seed=seed) for seed in range(READERS)]
    holding = threading.Event()
    holder = threading.Thread(target=hold, args=[at.url, seconds, holding])
    with ExitStack() as stack:
        for reader in readers:
            stack.enter_context(reader)
        holder.start()
        holding.wait()
        began = time.perf_counter()
        change()
        took = time.perf_counter() - began
        holder.join()
    read = [each for reader in readers for each in reader.seconds]
    slowest = milliseconds(read, 1.0)
    return {"slowest_reader_ms": slowest, "reads": len(read), "change_seconds": round(took, 1)}


def main() -> None:
    """Measure the readers alone, then beside each way of changing the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="the transaction's")
    asked = parser.parse_args()
    ways: dict[str, Callable[[Shop], object]] = {
        "no_change": lambda _: None,
        "helper": lambda at: at.apply(GUARDED),
        "plain_operation": lambda at: at.apply(PLAIN),
        "bare_alembic": lambda at: at.run("-c", BARE),
    }
    figures: dict[str, dict[str, float]] = {}
    for name, way in ways.items():
        with shop(rows=asked.rows) as at:
            figures[name] = beside(at, asked.rows, asked.seconds, lambda: way(at))  # noqa: B023 - called at once
    alone = figures["no_change"]["slowest_reader_ms"]
    for figure in figures.values():
        figure["added_ms"] = round(figure["slowest_reader_ms"] - alone, 1)
    guarded = max(figures["helper"]["added_ms"], figures["plain_operation"]["added_ms"])
    held = {"goal_added_ms": GOAL_ADDED_MILLISECONDS, "holds": guarded <= GOAL_ADDED_MILLISECONDS}
    print(json.dumps({"transaction_seconds": asked.seconds, **figures, **held}, indent=2))


if __name__ == "__main__":
    main()
