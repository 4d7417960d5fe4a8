"""What a backfill costs a writer beside it, by the kit and as one big UPDATE, in one run.

A type is changed: a new column, a trigger that writes both, and every row filled. Prints one JSON object, in
milliseconds and rows a second. The goals are for 1,000,000 rows on a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import ExitStack

from shop import Client, Shop, milliseconds, shop

CHANGE = """
migrations.change_type(
    "things", "price", "cents", sa.BigInteger,
    forward="round({price} * 100)", backward="{cents} / 100.0",
)
"""
WRITE = "UPDATE things SET price = price + 1 WHERE id = %s"
WRITERS = 2
IDLE_SECONDS = 5.0
GOAL_MILLISECONDS, GOAL_TIMES_IDLE, GOAL_ROWS = 25.0, 3.0, 20_000


def writers(at: Shop, rows: int) -> list[Client]:
    """Return those who write, not yet at work."""
    return [Client(at.url, WRITE, rows, seed=seed) for seed in range(WRITERS)]


def beside(at: Shop, rows: int, action: object) -> tuple[dict[str, float], float]:
    """Do something while the writers are at work; return what they felt, and how long it took."""
    clients = writers(at, rows)
    with ExitStack() as stack:
        for client in clients:
            stack.enter_context(client)
        time.sleep(0.2)
        for client in clients:
            client.seconds.clear()
        began = time.perf_counter()
        action()  # type: ignore[operator]
        took = time.perf_counter() - began
    seconds = [each for client in clients for each in client.seconds]
    felt = {name: milliseconds(seconds, share) for name, share in SHARES.items()}
    return {**felt, "writes": len(seconds)}, took


SHARES = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}


def main() -> None:
    """Measure a writer alone, beside the backfill, and beside one UPDATE."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    told: list[dict[str, object]] = []
    with shop(rows=rows) as at:
        idle, _ = beside(at, rows, lambda: time.sleep(IDLE_SECONDS))
        batches, took = beside(at, rows, lambda: told.extend(at.apply(CHANGE)[1]))
        left = at.scalar("SELECT count(*) FROM things WHERE cents IS DISTINCT FROM price * 100")
        at.execute("ALTER TABLE things ADD COLUMN pence bigint")
        update = "UPDATE things SET pence = round(price * 100)"
        once, update_took = beside(at, rows, lambda: at.execute(update))
    rate = next(
        event["rows_per_second"] for event in told[::-1] if event["event"] == "backfill_finished"
    )
    allowed = max(GOAL_MILLISECONDS, GOAL_TIMES_IDLE * idle["p99_ms"])
    figures = {
        "rows": rows,
        "idle": idle,
        "backfill": {**batches, "seconds": round(took, 1), "rows_per_second": rate},
        "one_update": {**once, "seconds": round(update_took, 1)},
        "rows_left_or_wrong": left,
        "goals": {"p99_ms": allowed, "rows_per_second": GOAL_ROWS},
        "holds": batches["p99_ms"] <= allowed and int(str(rate)) >= GOAL_ROWS and left == 0,
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
