"""Deployers that die in the middle: whoever comes next ends in the same place."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from campaign.passages import deployer, promote, take_back, wait_for
from e2e.shop import OLD, PRODUCT

from deployer.commands.context import Context
from deployer.commands.orders import unfinished

PROGRAM = Path(__file__).with_name("dying.py")
LIFE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Death:
    """One death: where it was, how long `resume` took, and what was left in the end."""

    moment: str
    resumed_seconds: float
    end: object


def live_through(context: Context, verb: str) -> tuple[tuple[str, ...], object]:
    """Carry a rollout or rollback undisturbed; return its moments and its end."""
    prepare(context, verb)
    done = subprocess.run(
        _command(context, verb, "never"), check=True, capture_output=True, text=True
    )
    return tuple(json.loads(done.stdout)), end_of(context)


def die(context: Context, verb: str, moment: str) -> Death:
    """Kill a deployer at a moment of its rollout and let another process go on."""
    kill_at(context, verb, moment)
    began = time.monotonic()
    if unfinished(context, PRODUCT) is not None:  # it may have died after the very last write
        deployer(context, "resume", PRODUCT)
    return Death(moment, time.monotonic() - began, end_of(context))


def kill_at(context: Context, verb: str, moment: str) -> None:
    """Have a deployer begin, and die at a moment."""
    prepare(context, verb)
    done = subprocess.run(
        _command(context, verb, moment), check=False, capture_output=True, timeout=LIFE_SECONDS
    )
    assert done.returncode == -signal.SIGKILL, (moment, done.stderr.decode())


def sleep_through(context: Context, verb: str, moment: str) -> tuple[object, object]:
    """Stop a deployer between journal and action, take its rollout back, and wake it.

    Returns what was there before it woke up, and after it has ended.
    """
    prepare(context, verb)
    sleeper = subprocess.Popen(
        _command(context, verb, moment, sends="SIGSTOP"), stderr=subprocess.DEVNULL
    )
    try:
        process = psutil.Process(sleeper.pid)
        wait_for(lambda: process.status() == psutil.STATUS_STOPPED, seconds=LIFE_SECONDS)
        deployer(context, "rollback", PRODUCT)
        before = (end_of(context), _route(context))
        process.resume()
        assert sleeper.wait(timeout=LIFE_SECONDS) != 0  # it was told that it had lost the lease
    finally:
        sleeper.kill()
        sleeper.wait()
    return before, (end_of(context), _route(context))


def prepare(context: Context, verb: str) -> None:
    """Bring product to where a rollout, or a rollback, begins."""
    if _live(context) != str(OLD):
        take_back(context)
    if verb == "rollback":
        promote(context)


def end_of(context: Context) -> object:
    """Return what is left of a rollout: releases, traffic, instances, and what the ledger says."""
    situation = context.target.situation(PRODUCT)
    header = context.ledger.history(PRODUCT, limit=1)[0]
    slots = [
        (each.slot is situation.live, each.release.version, each.weight, each.wanted, each.ready)
        for each in situation.slots
    ]
    running = [each.id for slot in situation.slots for each in slot.instances]
    return sorted(slots), len(running), header.outcome


def of_all(moments: Sequence[str], ends: Sequence[Death], *, calm: object) -> dict[str, object]:
    """Return the figures of a campaign of deaths."""
    return {
        "moments": len(moments),
        "same_end": sum(each.end == calm for each in ends),
        "others": [each.moment for each in ends if each.end != calm],
        "worst_resume_seconds": round(max(each.resumed_seconds for each in ends), 2),
    }


def _live(context: Context) -> str | None:
    serving = context.target.situation(PRODUCT).serving
    return serving.release.version if serving else None


def _route(context: Context) -> str:
    return (context.state / "router" / "services" / f"{PRODUCT}.yml").read_text()


def _command(
    context: Context, verb: str, moment: str, *, sends: str = "SIGKILL"
) -> tuple[str, ...]:
    folder, environment = str(context.workspace.root), context.environment.name
    return (sys.executable, str(PROGRAM), folder, environment, verb, sends, moment)
