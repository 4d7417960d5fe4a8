"""Two releases write to one database at once, each by its own tables: nothing that one wrote may hurt the other."""

from __future__ import annotations

import json
import time
from pathlib import Path

from deployer import runner
from deployer.migrations.suites import Suite, Tested
from deployer.targets.local.processes import UNWANTED
from deployer.threads import gather, threads

PROGRAM = Path(__file__).with_name("writing.py")
WRITE_SECONDS = 2.0
LIMIT_SECONDS = 60.0


def write_together(older: Suite, newer: Suite, url: str) -> Tested:
    """Have both releases write to an expanded schema for some seconds, and read what the other wrote."""
    began = time.monotonic()
    releases = (older, newer)
    with threads(len(releases)) as pool:
        ended = gather(
            [pool.submit(_write, url, *each) for each in zip(releases, "12", strict=True)]
        )
    lines = tuple(line for done in ended for line in done.tail if done.code != 0)
    passed = all(_wrote(done) for done in ended)  # who could write nothing has shown nothing
    summary = ", ".join(_said(*pair) for pair in zip(releases, ended, strict=True))
    names = " and ".join(each.release.name for each in releases)
    return Tested(
        names, "expand, at once", passed, summary, round(time.monotonic() - began, 1), lines[-15:]
    )


def _write(url: str, suite: Suite, number: str) -> runner.Completed:
    return runner.run(
        (suite.python, PROGRAM, suite.release.service, url, f"{WRITE_SECONDS}", number),
        environment=UNWANTED,
        timeout_seconds=LIMIT_SECONDS,
    )


def _said(suite: Suite, done: runner.Completed) -> str:
    name = suite.release.name
    if done.code != 0:
        return f"{name} failed: {done.tail[-1] if done.tail else 'without a word'}"
    left_out = sorted(json.loads(done.stdout.splitlines()[-1])["left_out"])
    without = f", without {', '.join(left_out)}" if left_out else ""
    return f"{name} wrote {_wrote(done)} rows{without}"


def _wrote(done: runner.Completed) -> int:
    """Return how many rows a writer has written, none where it failed."""
    return int(json.loads(done.stdout.splitlines()[-1])["wrote"]) if done.code == 0 else 0
