"""The incident file: written when a release turned back by itself, with all that one wants to know."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from paper import Paper, never_ready
from shopfront import PRODUCT, wanted

from deployer.analysis import Counts, Look
from deployer.commands import orders
from deployer.commands.release import build_release
from deployer.commands.rollback import rollback
from deployer.commands.rollout import rollout
from deployer.commands.why import why
from deployer.engine import Phase, Rollout
from deployer.model import Slot


def incidents(paper: Paper) -> list[Path]:
    return sorted((paper.context.state / "incidents").glob("*.md"))


class Failing:
    """Looks in which half of the candidate's requests fail."""

    def __init__(self, _target: object, **_say: object) -> None:
        self.looks = 0

    def look(self, _rollout: Rollout, *, at: float) -> Look:
        self.looks += 1
        failed = 20 if self.looks > 2 else 0
        return Look(at=at, candidate=Counts(40, failed), live=Counts(40))


def log_failure(paper: Paper, version: str) -> None:
    """Write into the candidate's log what an instance writes about a request that failed."""
    release = build_release(paper.context, wanted())
    assert release.version == version
    path = paper.target._log(release, Slot.GREEN)
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"request_id": "r-17", "timestamp": datetime.now(UTC).isoformat()}
    lines = [
        {**about, "event": "price_missing", "level": "error"},
        {
            **about,
            "event": "request_finished",
            "method": "GET",
            "route": "/api/v1/products",
            "status": 500,
        },
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_rollback_by_the_analysis_leaves_an_incident(paper: Paper, monkeypatch):
    """Cause, where the time went, timeline, counts, failing requests, and what differed."""
    monkeypatch.setattr(orders, "MetricsObserver", Failing)
    version = paper.commit_next()
    log_failure(paper, version)
    began = time.time()
    (state,) = rollout(paper.context, [wanted()])
    (path,) = incidents(paper)
    page = path.read_text()

    assert state is not None
    assert state.phase is Phase.ROLLED_BACK
    assert page.startswith(f"# product@{version} was rolled back to product@1.0.0\n")
    assert f"**Cause:** {state.cause}" in page
    assert "| the fault | detected |" in page
    assert "| old slot ready, weights written | all traffic back |" in page
    assert "watching to guarding | 50 % | fail: error" in page
    assert "| bad | " in page
    assert "`r-17`, second " in page
    assert "GET\n/api/v1/products answered 500" in page
    assert "price_missing" in page
    assert f"product {version}" in page.partition("**Commits**")[2]
    assert "**Configuration**\n\nThe same." in page
    assert any(str(path) in text for text in paper.said)
    assert path.stat().st_mtime >= began - 1


def test_why_says_where_the_time_went_and_what_would_have_changed_it(paper: Paper, monkeypatch):
    """The fault's first look, the look that showed it, the old slot, the traffic."""
    monkeypatch.setattr(orders, "MetricsObserver", Failing)
    paper.commit_next()
    rollout(paper.context, [wanted()])
    (account,) = why(paper.context, PRODUCT)
    split = account.split
    (decision,) = (each for each in account.decisions if each.rule.startswith("fail"))

    assert split is not None
    assert split.fault_at is not None
    assert split.acted_at is not None
    assert split.converged_at is not None
    assert 0 < split.fault_at <= split.detected_at <= split.acted_at <= split.converged_at
    assert "fewer" in decision.would_change
    assert dict(decision.numbers)["bad"] > 0


def test_a_release_that_never_gets_ready_leaves_an_incident_without_counts(paper: Paper):
    """An action failed: no look has judged anything, and no request has failed."""
    paper.commit_next()
    paper.target.faults.errors["smoke"] = [never_ready(build_release(paper.context, wanted()))]
    rollout(paper.context, [wanted()])
    (path,) = incidents(paper)
    page = path.read_text()

    assert "never-ready" in page
    assert "## Counts" not in page
    assert "## Where the time went" not in page
    assert "The candidate's log names none." in page


def test_frozen_settings_that_differ_are_named(paper: Paper):
    """By name, with both values; a setting that is new was not set before."""
    paper.commit_next()
    asked = wanted(None, PLATFORM_THREADS="2")
    paper.target.faults.errors["smoke"] = [never_ready(build_release(paper.context, asked))]
    rollout(paper.context, [asked])
    (path,) = incidents(paper)

    assert "- `PLATFORM_THREADS`: not set before, 2 after" in path.read_text()


def test_what_a_person_took_back_is_no_incident(paper: Paper):
    """They know why."""
    paper.interrupt()
    rollback(paper.context, PRODUCT)
    paper.promote_next()
    rollback(paper.context, PRODUCT)

    assert incidents(paper) == []
