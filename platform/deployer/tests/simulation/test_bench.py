"""`bench/analysis.py`: it runs, and its comparison with peers has teeth."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from deployer.analysis import Counts
from deployer.simulation import Behaviour, ServiceModel

BENCH = Path(__file__).parents[4] / "bench"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for what annotations mean
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return load("analysis")


@pytest.fixture
def budgets(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("budgets")


@pytest.fixture
def peers() -> ModuleType:
    return load("peers")


def test_it_prints_one_json_object_and_a_table(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Every figure that is promised, from a run that is too small to mean anything."""
    monkeypatch.setattr(bench, "HOLD_SECONDS", 60)
    monkeypatch.setattr(sys, "argv", ["analysis.py", "--quick", "--timing"])
    bench.main()
    told = capsys.readouterr()
    result = json.loads(told.out)

    assert len(result["detect"]) == 12
    assert all(cells["ours"]["p90"] is not None for cells in result["detect"].values())
    assert result["detect"]["p95 of 1.5 s"]["ours"]["p95_told"] == 1.0
    assert result["healthy"]["both 0.005"]["ours"] == 0.0
    assert result["metrics_down_10_minutes"]["promoted"] == 0
    assert result["metrics_down_10_minutes"]["rolled-back"] == 0
    assert result["timing"]["rollouts"] == 100
    assert result["timing"]["failed_though_something_works"] == 0
    assert result["budgets"]["orders down 30 % from 0.97"]["holds"]
    assert not result["budgets"]["timing"]["holds"]  # a hundred rollouts are not ten thousand
    assert not result["all_budgets_hold"]
    assert "0.5 errors after 5000" in told.err


def test_a_static_threshold_has_more_false_alarms_than_ours(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    """On the same requests of two slots that are the same, few of them and many."""
    monkeypatch.setattr(bench, "HOLD_SECONDS", 300)
    for rate, share in ((2.0, 0.005), (20.0, 0.049)):
        same = Behaviour(error_share=share)
        row = bench.Row("same", ServiceModel(rate, candidate=same, live=same))
        shares = bench.healthy(row, 20)

        assert shares["ours"] == 0.0
        assert shares["threshold"] >= 0.1


def test_without_the_pair_ours_sees_no_orders_missing(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    """The control of the row: the same traffic, and the analysis is not told of its orders."""
    row = next(row for row in bench.faults() if row.name.startswith("orders down 30 % from 0.97"))
    assert bench.detect(row, 3)["ours"]["missed"] == 0.0
    monkeypatch.setattr(bench, "outcomes", lambda _served: ())

    assert bench.detect(row, 3)["ours"]["missed"] == 1.0


@pytest.mark.parametrize(
    ("found", "holds"),
    [
        ({"p90": 40}, True),
        ({"p90": 41}, False),
        ({"p90": None}, False),
    ],
)
def test_a_budget_is_kept_or_not(budgets: ModuleType, found: dict[str, float], *, holds: bool):
    """Forty requests are promised for half of them failing; what is never found keeps nothing."""
    slow = {"p95_seconds": 1.5, "p95_told": 1.0, "missed": 0.0}
    names = [f"{share} errors after {clean}" for share in budgets.P90 for clean in budgets.CLEAN]
    names += [f"orders down 30 % from {share}" for share in budgets.SUCCESSES]
    detected = {name: {"ours": found} for name in names} | {"p95 of 1.5 s": {"ours": slow}}
    kept = dict(budgets.budgets(detected, {}, {"promoted": 0, "rolled-back": 0}))

    assert kept["0.5 errors after 1000"].holds is holds
    assert kept["p95 of 1.5 s"].holds
    assert kept["metrics down 10 minutes"].holds


@pytest.mark.parametrize(
    "wrong", [{"p95_seconds": None}, {"p95_seconds": 3.0}, {"p95_told": 0.9}, {"missed": 0.01}]
)
def test_a_fault_of_latency_is_found_with_its_figure(
    budgets: ModuleType, wrong: dict[str, float | None]
):
    """Found without it, or with another one, is not what was promised."""
    right = {"p95_seconds": 1.6, "p95_told": 1.0, "missed": 0.0}

    assert budgets.told(right).holds
    assert not budgets.told({**right, **wrong}).holds


def test_a_decision_in_the_dark_or_a_false_alarm_breaks_its_budget(budgets: ModuleType):
    """One in a hundred is allowed, and none while the metrics are down."""
    assert budgets.undecided({"promoted": 0, "rolled-back": 0}).holds
    assert not budgets.undecided({"promoted": 0, "rolled-back": 1}).holds
    assert budgets.left_alone({"ours": 0.01}).holds
    assert not budgets.left_alone({"ours": 0.011}).holds


def test_what_is_never_found_has_no_quantile(bench: ModuleType):
    """Misses are the longest of all: half of them missed, and the 90th percentile is gone."""
    assert bench.at([5.0, 3.0], 0.5, of=4) == 5.0
    assert bench.at([5.0, 3.0], 0.9, of=4) is None
    assert bench.at([], 0.5, of=0) is None


def test_a_threshold_decides_at_the_end_of_its_window(peers: ModuleType):
    """The sixtieth second, or the end of the third bad window."""

    def seconds(checks: int) -> int:
        rule = peers.StaticThreshold(lambda counts: counts.failed, checks=checks)
        return next(n for n in range(1, 999) if rule.rolls_back(Counts(10, 1), Counts(10)))

    assert (seconds(1), seconds(3)) == (60, 180)


def test_the_u_test_is_the_textbooks(peers: ModuleType):
    """The example of SciPy's page, with its p; ties are corrected, sameness and nothing say 1."""
    males, females = (19, 22, 16, 29, 24), (20, 11, 17, 12)

    assert peers.mann_whitney(males, females) == pytest.approx(0.11134688653314041)
    assert peers.mann_whitney((1, 1, 2), (1, 2, 2)) == pytest.approx(0.6192, abs=0.01)
    assert peers.mann_whitney((3, 3), (3, 3)) == 1.0
    assert peers.mann_whitney((), (1, 2)) == 1.0


def test_a_u_test_looks_every_five_minutes(peers: ModuleType):
    """It finds a candidate that fails while live does not, and nothing where nobody fails."""

    def seconds(candidate: Counts) -> int | None:
        rule = peers.MannWhitney(lambda counts: counts.failed)
        found = (n for n in range(1, 1000) if rule.rolls_back(candidate, Counts(100)))
        return next(found, None)

    assert seconds(Counts(10, 1)) == 300
    assert seconds(Counts(10)) is None
