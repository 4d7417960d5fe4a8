"""`simulate`: a policy of the checkout against simulated traffic, told to people and machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.conftest import Call

POLICY = """
target = "local"

[rollout]
weights = [20, 50, 100]
hold_seconds = 20
look_seconds = 1
patience_seconds = 300
"""
ARGUMENTS = ("simulate", "--policy", "trial", "--rps", "20", "--runs", "15")
KEYS = {
    "policy",
    "runs",
    "seed",
    "requests_per_second",
    "error_rate",
    "slow_rate",
    "fault_after_seconds",
    "outcomes",
    "rules",
    "false_rollback_share",
    "detect_seconds",
    "detect_requests",
    "back_seconds",
    "exposed_requests",
    "failed_requests",
}


@pytest.fixture(autouse=True)
def checkout_with_a_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout that has nothing but the policy: nothing else is needed."""
    (tmp_path / "services").mkdir()
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "trial.toml").write_text(POLICY)
    monkeypatch.chdir(tmp_path)


def test_a_fault_is_found_and_a_healthy_release_is_not_taken_back(call: Call):
    """Half the requests fail, from the 30th second on: found within seconds, every time."""
    done = call(*ARGUMENTS, "--error-rate", "0.5", "--fault-after", "30", "--json")
    result = json.loads(done.stdout)

    assert done.exit_code == 0
    assert set(result) == KEYS
    assert result["outcomes"] == {"rolled-back": 1.0}
    assert sum(result["rules"].values()) == pytest.approx(1.0, abs=0.01)
    assert result["false_rollback_share"] == 0.0
    assert 0 < result["detect_seconds"]["p50"] <= result["detect_seconds"]["p90"] <= 20
    assert result["detect_seconds"]["max"] < result["back_seconds"]["max"]
    assert result["failed_requests"]["p50"] < result["exposed_requests"]["p50"]


def test_what_is_no_fault_is_not_found(call: Call):
    """The error rate of a healthy service: promoted, and nothing to tell of a detection."""
    done = call(*ARGUMENTS, "--error-rate", "0.005", "--json")
    result = json.loads(done.stdout)

    assert result["outcomes"] == {"promoted": 1.0}
    assert result["rules"] == {}
    assert (result["detect_seconds"], result["back_seconds"]) == (None, None)
    assert result["exposed_requests"]["p50"] > 500


def test_slow_requests_are_a_fault_of_their_own(call: Call):
    """Found by the rules on slow requests, with no error more."""
    done = call(*ARGUMENTS, "--error-rate", "0.005", "--slow-rate", "0.4", "--json")

    assert set(json.loads(done.stdout)["rules"]) <= {"slow-share", "slow-against-live"}


def test_people_get_a_table(call: Call):
    """Each figure in a line of its own; nothing but the table on stdout, no bar on stderr."""
    done = call(*ARGUMENTS, "--error-rate", "0.5", "--slow-rate", "0.1")

    assert done.stdout.startswith("policy trial: 50.0% errors, 10.0% slow after 0 s")
    for words in ("rolled-back", "false rollbacks", "seconds to detect", "requests exposed"):
        assert words in done.stdout
    assert done.stderr == ""


def test_a_table_says_never_of_what_never_happened(call: Call):
    """No figure is made up."""
    done = call(*ARGUMENTS, "--error-rate", "0")

    assert "seconds to detect      never" in done.stdout


def test_the_same_seed_tells_the_same(call: Call):
    """And another seed something else: the next one shares no rollout with it."""

    def told(seed: int) -> str:
        return call(*ARGUMENTS, "--error-rate", "0.2", "--seed", str(seed), "--json").stdout

    assert told(3) == told(3)
    assert json.loads(told(3)) | {"seed": 4} != json.loads(told(4))


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("--policy", "trail", "--error-rate", "0.1", "--rps", "1"), "environment-missing"),
        (("--policy", "trial", "--error-rate", "2", "--rps", "1"), "not in the range"),
        (("--policy", "trial", "--error-rate", "0.1", "--rps", "0"), "not in the range"),
        (("--policy", "trial", "--error-rate", "0.1"), "--rps"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Call, arguments: tuple[str, ...], cause: str):
    """Exit 2, and the cause on stderr."""
    done = call("simulate", *arguments)

    assert done.exit_code == 2
    assert cause in done.stderr
