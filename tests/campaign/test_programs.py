"""The figures of the pure parts: the engine's states, the analysis beside others, and the mutants."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.campaign

ROOT = Path(__file__).parents[2]
PROPERTIES = "platform/deployer/tests/engine/test_properties.py"
EXAMPLES, LEAST_STATES = 20_000, 100_000
RUNS, FEW_RUNS = 1_000, 5
MUTANTS, LEAST_KILLED = 100, 0.8
TIMED_SECONDS = 90.0


def said(*words: str, **extra: str) -> str:
    """Run a Python program of the checkout to its end and return what it printed."""
    done = subprocess.run(
        (sys.executable, *words),
        cwd=ROOT,
        env={**os.environ, **extra},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def only_in_full(full: bool) -> None:
    if not full:
        pytest.skip("these programs have tests of their own; here are their full counts")


@pytest.mark.usefixtures("only_in_full")
def test_the_engine_reaches_a_hundred_thousand_states_without_a_broken_invariant(
    record: Callable[..., None],
):
    """Different ones, by the hash of all that a state holds."""
    text = said(
        *("-m", "pytest", "-q", "-s", PROPERTIES, "-k", "no_order_of_events"),
        ENGINE_EXAMPLES=str(EXAMPLES),
    )
    states = json.loads(next(line for line in text.splitlines() if line.startswith("{")))
    record("engine", examples=EXAMPLES, states=states["engine_states"])

    assert states["engine_states"] >= LEAST_STATES


@pytest.mark.usefixtures("only_in_full")
def test_the_analysis_keeps_its_budgets_and_its_time(record: Callable[..., None]):
    """Printed next to what others do; each row says itself whether it keeps its budget."""
    figures = json.loads(said("bench/analysis.py", "--runs", str(RUNS), "--jobs", "2", "--timing"))
    record("analysis", **figures)

    assert figures["all_budgets_hold"] is True, figures["budgets"]
    assert figures["timing"]["seconds"] <= TIMED_SECONDS


@pytest.mark.usefixtures("only_in_full")
def test_most_mutants_of_engine_and_analysis_are_noticed(record: Callable[..., None]):
    """A sample of small changes, each of which a test should see."""
    figures = json.loads(said("tests/mutation/sample.py", "--sample", str(MUTANTS)))
    record("mutation", **figures)

    assert figures["killed"] / figures["total"] >= LEAST_KILLED
