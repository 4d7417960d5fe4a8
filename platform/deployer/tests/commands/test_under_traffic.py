"""Rollouts on a real stack, by the real program: promoted, caught, killed, and taken back."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from shopfront import BROWSE, PRODUCT, SECONDS, Shop, until, wanted

from deployer.cli.main import INTERRUPTED
from deployer.commands.doctor import examine
from deployer.commands.plan import forecast
from deployer.commands.rollback import promoted_releases
from deployer.commands.rollout import rollout
from deployer.commands.running import request, retire_standbys
from deployer.commands.status import status
from deployer.commands.why import why
from deployer.engine import Phase
from deployer.errors import InputError
from deployer.ledger import LeaseHeldError, Verb

pytestmark = pytest.mark.integration


def test_a_newer_version_is_promoted_under_traffic(shop: Shop):
    """By its own requests, no hand on it; data to stdout, talk to stderr, nothing lost."""
    before = shop.live
    version = shop.commit_next()
    with shop.traffic() as traffic:
        done = shop.deployer("rollout", "product", "--json")
        # Requests that are under way when the weight moves may be answered by the old one still.
        until(lambda: traffic.answers[-1].version == version, "answered by the new one")

    assert done.returncode == 0, done.stderr
    ending = {"service": "product", "candidate": version, "live": before}
    assert json.loads(done.stdout) == [{**ending, "outcome": "promoted", "cause": None}]
    assert f"building product@{version}" in done.stderr
    assert "watching" in done.stderr
    assert f"product@{version} promoted" in done.stderr
    assert shop.live == version
    assert len(traffic.answers) > 300
    assert not [answer for answer in traffic.answers if not answer.ok]
    assert {answer.version for answer in traffic.answers} == {before, version}


def test_a_standby_that_is_over_leaves_no_process(shop: Shop):
    """The old slot's instances are gone; the live one's are not."""
    shop.promote_unless(shop.context.target.records.read(PRODUCT).standby_until)
    retired = retire_standbys(shop.later(700))
    names = {name.rpartition("-")[0] for name, _ in shop.context.target.processes()}
    live = shop.context.target.situation(PRODUCT).live

    assert retired == (PRODUCT,)
    assert live is not None
    assert f"product-{live}" in names
    assert f"product-{live.other}" not in names
    assert status(shop.context)[0].ready


def test_a_plan_foretells_steps_and_faults_at_todays_traffic(shop: Shop):
    """How long each step takes, and how soon which fault would show; nothing is changed."""
    known = shop.context.ledger.history(PRODUCT)
    with shop.traffic() as traffic:
        until(lambda: len(traffic.answers) > 20, "there is traffic")
        result = forecast(shop.context, "product")

    assert (result.live, result.candidate, result.strategy) == (shop.live, shop.live, "canary")
    assert result.requests_per_second > 5
    half, full = result.steps[1], result.steps[-1]
    assert (result.steps[0].check, result.steps[0].at_least_seconds) == ("smoke", 0.0)
    assert half.at_least_seconds is not None
    assert full.at_least_seconds is not None
    assert half.at_least_seconds > full.at_least_seconds >= 0.5
    shares = dict(full.fault_seconds)
    assert 0 < (shares[0.5] or 0) < (shares[0.2] or 0) < (shares[0.1] or 0)
    assert shop.context.ledger.history(PRODUCT) == known


def test_a_running_rollout_belongs_to_its_holder_and_can_be_aborted(shop: Shop):
    """Another is refused with whose it is and how to go on; an abort from beside is heard."""
    before = shop.live
    process, version = shop.start_rollout()
    with pytest.raises(LeaseHeldError) as refused:
        rollout(shop.context, [wanted()])
    again = shop.deployer("rollout", "product")
    (line,) = status(shop.context)
    asked = shop.deployer("abort", "product")
    out, talk = process.communicate(timeout=SECONDS)

    assert f":{process.pid}:" in refused.value.cause
    assert " s ago" in refused.value.cause
    assert "deployer status --watch" in refused.value.hint
    assert "deployer abort product" in refused.value.hint
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("error[rollout-running]: a rollout of product is running")
    assert line.candidate is not None
    assert (line.candidate.version, line.candidate.weight) == (version, 50)
    assert line.rollout is not None
    assert (line.rollout.phase, line.rollout.step, line.rollout.steps) == ("watching", 2, 3)
    assert (asked.returncode, asked.stdout) == (0, "")
    assert "deployer status --watch" in asked.stderr
    (ending,) = json.loads(out)
    assert (process.returncode, ending["outcome"]) == (1, "rolled-back")
    assert ending["cause"].startswith("aborted by hand (asked for by ")
    assert f"product@{version} rolled-back: aborted by hand" in talk
    assert shop.live == before


def test_a_deployer_killed_in_the_middle_of_a_canary_is_followed_by_another(shop: Shop):
    """Nobody hears a wish; under traffic `resume` promotes, and no request is lost."""
    process, version = shop.start_rollout()
    shop.kill(process)
    with pytest.raises(InputError) as refused:
        request(shop.context, PRODUCT, Verb.PROMOTE, why="is anybody there?")
    found = {finding.subject: finding for finding in examine("local", shop.root)}
    with shop.traffic() as traffic:
        done = shop.deployer("resume", "product")

    assert refused.value.code == "rollout-interrupted"
    assert found["rollout of product"].ok is False
    assert "deployer resume product if it died" in found["rollout of product"].hint
    assert done.returncode == 0, done.stderr
    assert f"product@{version} promoted" in done.stderr
    assert shop.live == version
    assert not [answer for answer in traffic.answers if not answer.ok]


def test_a_rollback_after_promotion_is_one_command(shop: Shop):
    """All traffic is back on the version before, and the slot of the other is empty."""
    shop.promote_unless(len(promoted_releases(shop.context, PRODUCT)) > 1)
    bad = shop.live
    began = time.monotonic()
    with shop.traffic() as traffic:
        done = shop.deployer("rollback", "product", "--json")
    seconds = time.monotonic() - began

    assert done.returncode == 0, done.stderr
    (ending,) = json.loads(done.stdout)
    assert (ending["live"], ending["outcome"]) == (bad, "promoted")
    assert shop.live == ending["candidate"] != bad
    assert not [answer for answer in traffic.answers if not answer.ok]
    assert [each.release.version for each in shop.context.target.situation(PRODUCT).slots] == [
        shop.live
    ]
    assert seconds < SECONDS


def test_a_release_that_answers_errors_is_rolled_back_with_its_cause(shop: Shop):
    """Half of its answers are errors: the traffic is back before many were seen."""
    before = shop.live
    version = shop.commit_next()
    settings = ("--set", "PLATFORM_FAULT_ERROR_SHARE=0.5", "--set", "PLATFORM_FAULT_PATH=/api/v1")
    with shop.traffic(BROWSE) as traffic:
        done = shop.deployer("rollout", "product", *settings, "--json")
    (account,) = why(shop.context, PRODUCT)
    failed = [answer for answer in traffic.answers if not answer.ok]

    assert done.returncode == 1
    (ending,) = json.loads(done.stdout)
    assert (ending["candidate"], ending["outcome"]) == (version, "rolled-back")
    assert "hint: deployer why product" in done.stderr
    assert shop.live == before
    assert failed
    assert all(answer.injected and answer.version == version for answer in failed)
    verdict = next(each for each in account.decisions if each.after == Phase.GUARDING)
    assert verdict.rule.startswith("fail: err")
    assert verdict.reason == ending["cause"]
    assert dict(verdict.numbers)
    assert verdict.would_change
    assert account.split is not None
    page = (shop.context.state / "incidents" / f"product-{account.rollout}.md").read_text()
    assert ending["cause"] in page
    assert "/api/v1/products answered 500" in page
    assert "`PLATFORM_FAULT_ERROR_SHARE`: not set before, 0.5 after" in page


def test_a_release_that_never_gets_ready_is_rolled_back_with_its_last_words(shop: Shop):
    """The log's tail is told while it happens, and by `why` afterwards."""
    before = shop.live
    version = shop.commit_next()
    done = shop.deployer("rollout", "product", "--set", "PLATFORM_THREADS=many")
    told = shop.deployer("why", "product")

    assert done.returncode == 1
    assert f"never-ready: product@{version} (" in done.stderr
    assert "PLATFORM_THREADS" in done.stderr
    assert shop.live == before
    assert f"rollout {before} -> {version}: rolled-back after" in told.stdout
    assert "starting -> guarding  (0 %)  action failed" in told.stdout
    assert "PLATFORM_THREADS" in told.stdout


def test_ctrl_c_ends_the_program_and_not_what_it_began(shop: Shop):
    """At once, with exit 130 and both ways to go on; the rollout waits for whoever takes them."""
    before = shop.live
    process, version = shop.start_rollout()
    os.kill(process.pid, signal.SIGINT)
    out, talk = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (INTERRUPTED, "")
    assert "error[interrupted]: stopped by Ctrl-C" in talk
    assert "deployer resume SERVICE" in talk
    assert "deployer rollback SERVICE" in talk
    assert "Traceback" not in talk
    assert shop.phase is Phase.WATCHING

    done = shop.deployer("rollback", "product")
    assert done.returncode == 0, done.stderr
    assert f"product@{version} rolled-back" in done.stderr
    assert shop.live == before


def test_doctor_and_status_find_a_running_stack_well(shop: Shop):
    """The ports are ours, the instance is ready, and no rollout was left behind."""
    findings = {finding.subject: finding for finding in examine("local", shop.root)}
    done = shop.deployer("status", "--json")
    ports = shop.context.environment.ports

    assert findings[f"port {ports.public} (public)"].text == "ours"
    assert findings["product"].ok
    assert findings["product"].text.startswith(f"{shop.live} (")
    assert findings["product"].text.endswith(": 1 of 1 ready")
    assert not [subject for subject in findings if subject.startswith("rollout of")]
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = json.loads(done.stdout)
    assert (line["service"], line["ready"], line["live"]["version"]) == (
        "product",
        True,
        shop.live,
    )


def test_dry_runs_of_a_running_stack_change_nothing(shop: Shop):
    """Each says what it would do, to stdout."""
    record = shop.context.target.records.read(PRODUCT)
    before = {process.pid for _, process in shop.context.target.processes()}
    gone = shop.deployer("down", "--dry-run")
    there = shop.deployer("up", "--dry-run")

    assert "would stop router (process " in gone.stdout
    assert "would stop postgres (process " in gone.stdout
    assert "would stop product-" in gone.stdout
    assert there.stdout == f"product: {shop.live} runs\n"
    assert shop.context.target.records.read(PRODUCT) == record
    assert before <= {process.pid for _, process in shop.context.target.processes()}
