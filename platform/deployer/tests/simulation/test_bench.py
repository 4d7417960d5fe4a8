"""`bench/analysis.py`: it runs, and its comparison with peers has teeth."""

from __future__ import annotations

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
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return load("analysis")


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

    assert len(result["detect"]) == 10
    assert all(cells["ours"]["p90"] is not None for cells in result["detect"].values())
    assert result["healthy"]["both 0.005"]["ours"] == 0.0
    assert result["metrics_down_10_minutes"]["promoted"] == 0
    assert result["metrics_down_10_minutes"]["rolled-back"] == 0
    assert result["timing"]["rollouts"] == 100
    assert "0.5 errors after 5000" in told.err


def test_a_static_threshold_has_more_false_alarms_than_ours(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
):
    """On the same requests of two slots that are the same, few of them and many."""
    monkeypatch.setattr(bench, "HOLD_SECONDS", 300)
    for rate, share in ((2.0, 0.005), (20.0, 0.049)):
        same = Behaviour(error_share=share)
        shares = bench.healthy(ServiceModel(rate, candidate=same, live=same), runs=20)

        assert shares["ours"] == 0.0
        assert shares["threshold"] >= 0.1


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
