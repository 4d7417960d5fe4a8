"""The demo: the whole story, its promises, and the figures that it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

# Five times the goals: what a shared machine may take. The true figures are in docs/figures.
STORY_SECONDS = 5 * 150
DETECT_SECONDS = 5 * 20
BACK_SECONDS = 5 * 1.0


@pytest.fixture(scope="module")
def figures(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """One performance in a clone of its own: its ports must be free, so the stack's are others."""
    import re

    from deployer.targets.local.ports import free_ports

    root = tmp_path_factory.mktemp("demo") / "clone"
    subprocess.run(("cp", "-R", str(clone), str(root)), check=True)
    subprocess.run(("rm", "-rf", str(root / ".deployer" / "local")), check=True)
    path = root / "environments" / "local.toml"
    text = path.read_text()
    for name, port in zip(("public", "internal", "admin"), free_ports(3), strict=True):
        text = re.sub(rf"^{name} = \d+", f"{name} = {port}", text, flags=re.MULTILINE)
    path.write_text(text)
    program = Path(sys.executable).with_name("deployer")
    done = subprocess.run(
        (str(program), "demo", "--json"),
        cwd=root,
        capture_output=True,
        text=True,
        timeout=STORY_SECONDS,
        env={**os.environ, "NO_COLOR": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    written = json.loads((root / ".deployer" / "demo.json").read_text())
    assert json.loads(done.stdout) == written
    return written


def test_the_good_release_loses_no_request(figures: dict):
    """Promoted under 120 requests a second."""
    assert figures["promotion"]["requests"] > 500
    assert figures["promotion"]["failed"] == 0


def test_the_bad_release_is_caught_and_costs_nothing_but_its_own_errors(figures: dict):
    """Every failed request is one that the release was told to fail."""
    bad = figures["bad_release"]

    assert bad["injected_errors"] > 0
    assert bad["failed_besides"] == 0
    assert 0 < bad["fault_to_verdict_seconds"] < DETECT_SECONDS
    assert bad["verdict_to_traffic_back_seconds"] <= BACK_SECONDS
    assert bad["candidate_requests_at_verdict"] > bad["injected_errors"]


def test_nobody_else_was_touched(figures: dict):
    """Same processes, same route, no failed request: of auth, user and order."""
    assert figures["untouched"] == {"auth": True, "user": True, "order": True}


def test_the_stack_is_small(figures: dict):
    """Proportional memory of everything, and of each slot."""
    slots = {name: mb for name, mb in figures["slot_mb"].items() if "-" in name}

    assert figures["pss_mb"] <= 900
    assert len(slots) == 5
    assert max(slots.values()) <= 130
