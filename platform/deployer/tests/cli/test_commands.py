"""Every command: what it prints where, with which exit code, and that a dry run changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from paper import Paper, never_ready
from shopfront import PRODUCT

from deployer.commands import rollout as rollouts
from deployer.commands import running
from deployer.commands.demo.report import BadRelease, Promotion, Report
from deployer.commands.orders import unfinished
from deployer.commands.rollback import promoted_releases
from deployer.engine import Event, Rollout
from deployer.ledger.holder import this_holder
from deployer.targets.local import ports

STATUS = {"service", "ready", "live", "candidate", "standby", "standby_until", "rollout"}
SLOT = {"slot", "version", "weight", "instances", "ready"}
MOVING = {"id", "candidate", "phase", "step", "steps", "verdict"}
PLAN = {
    "service",
    "strategy",
    "live",
    "candidate",
    "requests_per_second",
    "requests_for_pass",
    "steps",
    "at_least_seconds",
}
STEP = {
    "weight",
    "instances",
    "check",
    "hold_seconds",
    "at_least_seconds",
    "fault_seconds",
    "live_instances",
    "gate",
}
ENDING = {"service", "candidate", "live", "outcome", "cause"}
ACCOUNT = {
    "rollout",
    "service",
    "kind",
    "candidate",
    "live",
    "outcome",
    "seconds",
    "decisions",
    "strategy",
    "split",
    "despite_freeze",
    "summary",
    "flag",
    "variant",
}
DECISION = {"at", "before", "after", "weight", "rule", "reason", "numbers", "would_change"}


def everything(paper: Paper) -> object:
    """What a dry run must leave as it is."""
    builds = sorted(path.name for path in (paper.root / ".deployer/paper").iterdir())
    ledger = paper.context.ledger
    history = ledger.history(PRODUCT)
    entries = [ledger.entries(header.service, header.id) for header in history]
    record = paper.context.target.records.read(PRODUCT)
    return builds, history, entries, record, list(paper.target.calls)


@pytest.fixture
def pushed(on_paper: Paper, monkeypatch: pytest.MonkeyPatch) -> Paper:
    """Let each rollout of the command line be promoted step by step, as there is no traffic."""
    rollout = rollouts.rollout
    resume = running.resume

    def pushing(listen):
        def both(state: Rollout, event: Event | None) -> None:
            on_paper.push(state, event)
            listen(state, event)

        return both

    def pushed_rollout(*arguments, listen, **more):
        return rollout(*arguments, listen=pushing(listen), **more)

    def pushed_resume(*arguments, listen, **more):
        return resume(*arguments, listen=pushing(listen), **more)

    monkeypatch.setattr(rollouts, "rollout", pushed_rollout)
    monkeypatch.setattr(running, "resume", pushed_resume)
    return on_paper


def data(done: Result) -> list[dict[str, object]]:
    return json.loads(done.stdout)


def test_status_is_one_document_for_machines(on_paper: Paper, call):
    """Its keys are an interface, while nothing moves and while something does."""
    (calm,) = data(call("status", "--json"))
    version = on_paper.interrupt()
    done = call("status", "--json")
    (moving,) = data(done)

    assert (done.exit_code, done.stderr) == (0, "")
    assert set(calm) == set(moving) == STATUS
    assert set(calm["live"]) == SLOT
    assert calm["live"]["version"] == "1.0.0"
    assert calm["rollout"] is None
    assert set(moving["rollout"]) == MOVING
    assert moving["rollout"]["candidate"] == moving["candidate"]["version"] == version
    assert (moving["candidate"]["weight"], moving["live"]["weight"]) == (50, 50)


def test_status_is_a_table_for_people(on_paper: Paper, call):
    """One row a service; what moves is named with its step."""
    version = on_paper.interrupt()
    done = call("status", terminal_width=200, env={"COLUMNS": "200"})

    assert done.exit_code == 0
    for word in ("product", "1.0.0 (blue)", "1/1", f"{version} (green)", "50 %", "watching (2/3)"):
        assert word in done.stdout
    assert "\x1b" not in done.stdout


def test_status_keeps_looking_until_ctrl_c(on_paper: Paper, call, monkeypatch: pytest.MonkeyPatch):
    """Which is how it ends, and no error."""
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("deployer.cli.tables.time.sleep", sleep)
    done = call("status", "--watch")

    assert done.exit_code == 0
    assert "product" in done.stdout
    assert len(looks) == 3


def test_a_plan_is_told_to_people_and_machines(on_paper: Paper, call):
    """The steps; without traffic no times are promised."""
    version = on_paper.commit_next()
    before = everything(on_paper)
    told = call("plan", "product")
    done = call("plan", "product", "--json")
    plan = data(done)

    assert told.exit_code == done.exit_code == 0
    assert told.stdout.startswith(f"product: 1.0.0 -> {version}, canary, at 0 requests/s\n")
    assert "1.   0 %  smoke     1 + 1 instances, at least 0 s" in told.stdout
    assert "4. 100 %  monitor   1 + 1 instances, at least as long as it takes" in told.stdout
    assert set(plan) == PLAN
    assert all(set(step) == STEP for step in plan["steps"])
    assert plan["steps"][1]["at_least_seconds"] is None
    assert everything(on_paper) == before


def test_a_plan_says_what_the_rollout_would_be(on_paper: Paper, call):
    """A changed tree is a development version; a version that never was is refused."""
    route = on_paper.root / "services/product/src/product/routes.py"
    route.write_text(route.read_text() + "\n# A change.\n")
    changed = call("plan", "product", "--json")
    unknown = call("plan", "product@7.7.7")

    assert data(changed)["candidate"] == "1.0.1-dev.1"
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert unknown.stderr.startswith("error[unknown-version]: ")


def test_a_plan_of_a_first_deployment_is_an_installation(
    checkout: Path, call, monkeypatch: pytest.MonkeyPatch
):
    """There is nothing to compare it with, and no traffic."""
    monkeypatch.chdir(checkout)
    done = call("plan", "product")

    assert done.stdout.startswith("product: nothing -> 1.0.0, install, at 0 requests/s\n")
    assert [line.split()[1] for line in done.stdout.splitlines()[1:3]] == ["0", "100"]


def test_a_rollout_is_followed_on_stderr_and_ends_as_data(pushed: Paper, call):
    """Each change of its state is a line; exit 0."""
    version = pushed.commit_next()
    done = call("rollout", "product", "--json")

    assert done.exit_code == 0, done.stderr
    (ending,) = data(done)
    assert ending == dict.fromkeys(ENDING) | {
        "service": "product",
        "candidate": version,
        "live": "1.0.0",
        "outcome": "promoted",
    }
    lines = done.stderr.splitlines()
    assert lines[0] == f"building product@{version}"
    assert "product   50 %  watching" in lines
    assert lines[-1] == f"product@{version} promoted"


def test_a_rollout_of_what_is_live_already_is_done(pushed: Paper, call):
    """Exit 0 and an empty list."""
    done = call("rollout", "product", "--json")

    assert (done.exit_code, data(done)) == (0, [])
    assert "product@1.0.0 is live already" in done.stderr


def test_a_rollout_that_turns_back_is_exit_1(pushed: Paper, call):
    """With the log's lines where it happened, the cause at the end, and where to read more."""
    version = pushed.commit_next()
    pushed.target.faults.unready = {version}
    done = call("rollout", "product", "--set", "PRODUCT_GREETING=hello=you")

    assert (done.exit_code, done.stdout) == (1, "")
    assert f"  | never-ready: product@{version} ended\n  | last words\n" in done.stderr
    assert f"product@{version} rolled-back: never-ready: product@{version} ended" in done.stderr
    assert done.stderr.endswith("\nhint: deployer why product\n")
    release = on_order(pushed)
    assert release == (("PRODUCT_GREETING", "hello=you"),)


def on_order(paper: Paper) -> tuple[tuple[str, str], ...]:
    from deployer.driver import decode_order

    (header, *_) = paper.context.ledger.history(PRODUCT)
    return decode_order(header.order).candidate.configuration


def test_a_lower_version_goes_out_with_its_option(pushed: Paper, call):
    """And not without."""
    from checkouts import set_version

    pushed.promote_next()
    set_version(pushed.root, "0.9.0")
    refused = call("rollout", "product")
    done = call("rollout", "product", "--allow-older")

    assert refused.exit_code == 2
    assert refused.stderr.splitlines()[1].startswith("error[older-version]: ")
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("prodct",), "unknown-service"),
        (("product@1.0",), "version-not-semver"),
        (("product", "--set", "lower=1"), "setting-broken"),
        (("product@7.7.7",), "unknown-version"),
        (("product", "product"), "service-twice"),
    ],
)
def test_a_rollout_of_what_makes_no_sense_is_exit_2(
    on_paper: Paper, call, arguments: tuple[str, ...], code: str
):
    """Refused before anything happens, with a hint."""
    before = everything(on_paper)
    done = call("rollout", *arguments)

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error[{code}]: ")
    assert "\nhint: " in done.stderr
    assert everything(on_paper) == before


def test_a_rollout_while_one_runs_is_exit_1(on_paper: Paper, call):
    """It is nobody's mistake: whose it is, since when, how to follow it and how to stop it."""
    ledger = on_paper.context.ledger
    lease = ledger.acquire(PRODUCT, this_holder(), now=on_paper.context.clock.now())
    done = call("rollout", "product")
    ledger.release(lease)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "error[rollout-running]: a rollout of product is running: held by"
    )
    assert "deployer status --watch" in done.stderr
    assert "deployer abort product" in done.stderr


def test_a_dry_run_of_a_rollout_is_its_plan(on_paper: Paper, call):
    """No build, no lease, no event."""
    version = on_paper.commit_next()
    before = everything(on_paper)
    done = call("rollout", "product", "--dry-run")

    assert done.exit_code == 0
    assert f"product: 1.0.0 -> {version}, canary" in done.stdout
    assert everything(on_paper) == before


def test_a_rollback_is_data_and_exit_0(on_paper: Paper, call):
    """Promoted is what the older release should be now."""
    bad = on_paper.promote_next()
    done = call("rollback", "product", "--json")

    assert done.exit_code == 0, done.stderr
    (ending,) = data(done)
    assert (ending["candidate"], ending["live"], ending["outcome"]) == ("1.0.0", bad, "promoted")
    assert "rolling product back to 1.0.0" in done.stderr


def test_a_rollback_of_a_running_rollout_should_end_rolled_back(on_paper: Paper, call):
    """Which is exit 0 then."""
    version = on_paper.interrupt()
    done = call("rollback", "product")

    assert done.exit_code == 0, done.stderr
    assert f"product@{version} rolled-back: rollback (asked for by" in done.stderr


def test_a_rollback_that_fails_is_exit_1(on_paper: Paper, call):
    """The older release does not come up: the traffic stays, and nobody may think otherwise."""
    bad = on_paper.promote_next()
    release = promoted_releases(on_paper.context, PRODUCT)[0]
    on_paper.target.faults.errors["smoke"] = [never_ready(release)]
    done = call("rollback", "product", "--to", "1.0.0")

    assert done.exit_code == 1
    assert "product@1.0.0 rolled-back: never-ready" in done.stderr
    assert "hint: deployer why product" in done.stderr
    assert on_paper.live == bad


def test_a_rollback_to_no_version_is_exit_2(on_paper: Paper, call):
    """The text must be a version, and the version one that was here."""
    broken = call("rollback", "product", "--to", "one")
    nothing = call("rollback", "product", "--to", "0.1.0")

    assert (broken.exit_code, nothing.exit_code) == (2, 2)
    assert broken.stderr.startswith("error[version-not-semver]: ")
    assert nothing.stderr.startswith("error[nothing-to-roll-back-to]: ")


def test_a_dry_run_of_a_rollback_says_where_to(on_paper: Paper, call):
    """And does nothing."""
    on_paper.promote_next()
    before = everything(on_paper)
    done = call("rollback", "product", "--dry-run")

    assert (done.exit_code, done.stdout) == (0, "would give all traffic of product to 1.0.0\n")
    assert everything(on_paper) == before


def test_resume_goes_on_with_what_was_interrupted(pushed: Paper, call):
    """A dry run says where; then there is nothing left to resume."""
    version = pushed.interrupt()
    before = everything(pushed)
    told = call("resume", "product", "--dry-run")
    assert told.stdout == f"would go on with product@{version}: watching, step 2 of 3\n"
    assert everything(pushed) == before

    done = call("resume", "product", "--json")
    over = call("resume", "product")
    assert done.exit_code == 0, done.stderr
    assert data(done)[0]["outcome"] == "promoted"
    assert (over.exit_code, over.stdout) == (2, "")
    assert over.stderr.startswith("error[nothing-to-resume]: ")


@pytest.mark.parametrize("verb", ["promote", "pause"])
def test_what_nobody_would_hear_is_refused(on_paper: Paper, call, verb: str):
    """The process died: the hint says who can take its place, and a dry run changes nothing."""
    version = on_paper.interrupt()
    told = call(verb, "product", "--dry-run")
    dead = call(verb, "product")

    assert told.stdout == f"would {verb} product@{version}: watching, step 2 of 3\n"
    assert dead.exit_code == 2
    assert dead.stderr.startswith("error[rollout-interrupted]: ")


def test_an_abort_takes_the_place_of_a_process_that_died(on_paper: Paper, call):
    """Exit 0: it was asked to turn back, and it has."""
    on_paper.interrupt()
    told = call("abort", "product", "--dry-run")
    done = call("abort", "product")

    assert told.stdout.startswith("would abort product@")
    assert done.exit_code == 0, done.stderr
    assert "rolled-back" in done.stderr
    assert unfinished(on_paper.context, PRODUCT) is None


@pytest.mark.parametrize("verb", ["promote", "pause", "abort"])
def test_a_running_rollout_is_asked(on_paper: Paper, call, verb: str):
    """The wish is in the ledger, with who asked and why; the holder decides when it hears."""
    on_paper.interrupt()
    ledger = on_paper.context.ledger
    lease = ledger.acquire(PRODUCT, this_holder(), now=on_paper.context.clock.now())
    done = call(verb, "product")
    header = unfinished(on_paper.context, PRODUCT)
    assert header is not None
    (wish,) = ledger.requests(header.service, header.id)
    ledger.release(lease)

    assert (done.exit_code, done.stdout) == (0, "")
    assert "deployer status --watch" in done.stderr
    assert (wish.verb, wish.by) == (verb, this_holder())
    assert wish.why.endswith("by hand")


@pytest.mark.parametrize("verb", ["promote", "abort"])
def test_nobody_is_asked_when_nothing_runs(on_paper: Paper, call, verb: str):
    """Exit 2, and what undoes a rollout that is over."""
    done = call(verb, "product")

    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error[no-rollout-running]: ")


def test_why_is_told_to_people_and_machines(on_paper: Paper, call):
    """Newest first; each decision with its moment, weight, rule and reason."""
    version = on_paper.interrupt()
    call("rollback", "product")
    told = call("why", "product")
    done = call("why", "product", "--last", "2", "--json")
    accounts = data(done)

    assert told.exit_code == done.exit_code == 0
    assert told.stdout.startswith(f"product: rollout 1.0.0 -> {version}: rolled-back after ")
    assert "watching -> guarding  (50 %)  asked for" in told.stdout
    assert "             rollback, by " in told.stdout
    assert "resumed" in told.stdout
    assert [account["outcome"] for account in accounts] == ["rolled-back", "promoted"]
    assert all(set(account) == ACCOUNT for account in accounts)
    assert all(set(each) == DECISION for account in accounts for each in account["decisions"])


def test_a_ledger_is_replayed_for_people_and_machines(on_paper: Paper, call):
    """Every decision the same is exit 0; also under another environment's limits."""
    on_paper.promote_next()
    told = call("replay", "product")
    done = call("replay", "product", "--last", "2", "--json")
    under = call("replay", "product", "--policy", "local")

    assert told.exit_code == done.exit_code == under.exit_code == 0
    assert told.stdout.endswith("every decision the same\n")
    assert [each["divergence"] for each in data(done)] == [None, None]


def test_a_replay_that_differs_is_exit_1(on_paper: Paper, call):
    """With both headlines."""
    on_paper.promote_next()
    with on_paper.context.ledger._write() as db:  # type: ignore[attr-defined]
        db.execute("UPDATE event SET headline = 'elsewhere' WHERE number = 2")
    told = call("replay", "product")

    assert told.exit_code == 1
    assert "  recorded: elsewhere\n" in told.stdout
    assert "  replayed: " in told.stdout


def test_a_watcher_ends_what_was_left_behind(on_paper: Paper, call, monkeypatch):
    """Once, and says how it ended."""
    watch = running.watch

    def pushed(*arguments, listen, **more):
        return watch(*arguments, listen=on_paper.push, **more)

    monkeypatch.setattr(running, "watch", pushed)
    version = on_paper.interrupt()
    done = call("watch", "--once")

    assert done.exit_code == 0, done.stderr
    assert f"product@{version} promoted" in done.stderr


@pytest.mark.parametrize("option", [("--weights", "10,x"), ("--gates", "")])
def test_a_list_that_is_none_is_refused(on_paper: Paper, call, option: tuple[str, str]):
    """Exit 2, before anything else."""
    done = call("plan", "product", *option)

    assert done.exit_code == 2
    assert "is no list of whole numbers" in done.stderr


def test_a_plan_is_made_by_the_options_of_the_call(on_paper: Paper, call):
    """Strategy, instances, holds: what a rollout with them would do."""
    on_paper.commit_next()
    done = call("plan", "product", "--strategy", "rolling", "--instances", "3", "--json")
    plan = data(done)
    canary = data(call("plan", "product", "--weights", "20,100", "--gates", "20", "--json"))

    assert plan["strategy"] == "rolling"
    assert [step["weight"] for step in plan["steps"]] == [33, 67, 100, 100]
    assert [(step["weight"], step["gate"]) for step in canary["steps"]][:2] == [
        (0, False),
        (20, True),
    ]


def test_why_tells_of_a_rollout_that_is_on_its_way(on_paper: Paper, call):
    """As far as it came."""
    on_paper.interrupt()

    assert ": on its way after " in call("why", "product").stdout


def test_up_and_down_on_paper(on_paper: Paper, call):
    """Dry runs are data, what is done is talk."""
    before = everything(on_paper)
    there, gone = call("up", "--dry-run"), call("down", "--dry-run")
    assert (there.stdout, gone.stdout) == ("product: 1.0.0 runs\n", "")
    assert everything(on_paper) == before

    done, down = call("up"), call("down")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("up after ")
    assert done.stderr.endswith(f": {on_paper.context.target.router.public_url}\n")
    assert (down.exit_code, down.stdout, down.stderr) == (0, "", "down\n")


def test_down_says_what_it_would_stop(on_paper: Paper, call, monkeypatch: pytest.MonkeyPatch):
    """Each process by name and id."""
    import psutil

    found = (("router", psutil.Process()),)
    monkeypatch.setattr(type(on_paper.target), "processes", lambda _self: found)
    done = call("down", "--dry-run")

    assert done.stdout == f"would stop router (process {psutil.Process().pid})\n"


def test_doctor_finds_a_rollout_that_was_left_behind(on_paper: Paper, call):
    """With the command that goes on with it, and exit 1; a list of findings for machines."""
    version = on_paper.interrupt()
    done = call("doctor")
    findings = data(call("doctor", "--json"))

    assert done.exit_code == 1
    assert version
    assert "no  rollout of product: number " in done.stdout
    assert "    hint: deployer status --watch while it runs; deployer resume product" in done.stdout
    assert all(set(finding) == {"subject", "ok", "text", "hint"} for finding in findings)
    subjects = {finding["subject"] for finding in findings}
    assert {"python", "git", "PostgreSQL", "uv", "Traefik", "disk", "environment"} <= subjects


def test_doctor_of_a_fresh_checkout_finds_nothing_wrong(
    checkout: Path, call, monkeypatch: pytest.MonkeyPatch
):
    """What is not installed yet is no fault."""
    monkeypatch.chdir(checkout)
    monkeypatch.setattr("deployer.commands.doctor.machine.LEAST_FREE_GB", 0.0)
    done = call("doctor")

    assert done.exit_code == 0, done.stdout
    assert "ok  product: not installed yet" in done.stdout
    assert "(public): free" in done.stdout


def test_doctor_names_what_is_in_the_way(checkout: Path, call, monkeypatch: pytest.MonkeyPatch):
    """A port that another program holds, a full disk, a missing git: each with a hint."""
    import socket

    monkeypatch.chdir(checkout)
    monkeypatch.setattr("deployer.commands.doctor.machine.LEAST_FREE_GB", 1e9)
    monkeypatch.setattr("deployer.commands.doctor.machine.shutil.which", lambda _name: None)
    text = (checkout / "environments/local.toml").read_text()
    (taken,) = ports.free_ports(1)
    public = next(line for line in text.splitlines() if line.startswith("public"))
    (checkout / "environments/local.toml").write_text(text.replace(public, f"public = {taken}"))
    with socket.create_server(("127.0.0.1", taken)):
        done = call("doctor")

    assert done.exit_code == 1
    assert f"no  port {taken} (public): taken by " in done.stdout
    assert "under [ports]" in done.stdout
    assert "no  disk: " in done.stdout
    assert "no  git: not found\n    hint: install git\n" in done.stdout


def test_doctor_names_an_environment_that_is_broken(
    checkout: Path, call, monkeypatch: pytest.MonkeyPatch
):
    """With file, line and key; the rest is looked at all the same."""
    monkeypatch.chdir(checkout)
    (checkout / "environments/local.toml").write_text('target = "moon"\n')
    done = call("doctor")

    assert done.exit_code == 1
    assert "no  environment: environments/local.toml: line 1, key target" in done.stdout
    assert "python: 3." in done.stdout


@pytest.mark.parametrize(("failed", "code"), [(0, 0), (1, 1)])
def test_a_demo_that_breaks_its_promise_is_exit_1(
    call, monkeypatch: pytest.MonkeyPatch, failed: int, code: int
):
    """And with --json its figures are data either way."""
    report = Report(
        up_seconds=1.0,
        story_seconds=2.0,
        pss_mb=3.0,
        slot_mb={},
        promotion=Promotion(10, failed, 1.0),
        bad_release=BadRelease(10, 5, 0, 1.0, 0.1, 5),
        untouched={},
        served={},
    )
    monkeypatch.setattr("deployer.cli.theatre.perform", lambda: report)
    silent, done = call("demo"), call("demo", "--json")

    assert (silent.exit_code, done.exit_code) == (code, code)
    assert silent.stdout == ""
    assert json.loads(done.stdout)["promotion"] == {
        "requests": 10,
        "failed": failed,
        "seconds": 1.0,
    }


def test_the_environment_is_opened_around_the_current_folder(
    checkout: Path, call, monkeypatch: pytest.MonkeyPatch
):
    """Anywhere in the checkout."""
    monkeypatch.chdir(checkout / "services/product")
    done = call("status", "--json")

    assert done.exit_code == 0
    (line,) = data(done)
    assert (line["service"], line["ready"], line["live"]) == ("product", False, None)
