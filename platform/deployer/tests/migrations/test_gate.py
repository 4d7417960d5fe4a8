"""The gate: seeded changes that break old code or its traffic are caught, safe ones pass."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from seeds import REPOSITORY, Seed, plant, seeds

from deployer.errors import OperationError
from deployer.migrations.gate import Gate
from deployer.migrations.suites import Suite, suite
from deployer.model import Release, ServiceName
from deployer.targets.local import Builds
from deployer.targets.local.postgres import Postgres
from deployer.workspace import Workspace

PRODUCT = ServiceName("product")
BREAKING, SAFE = seeds("breaking"), seeds("safe")
BY_RULES = [seed for seed in BREAKING if seed.rule != "tests"]
BY_TESTS = [seed for seed in BREAKING if seed.rule == "tests"]
# A gate is four starts of a runner. All of them are the campaign's; a few are for every day.
DAILY = {
    "a column is dropped",
    "a default that differs by row",
    "a way back that leads elsewhere",
} | {
    "an index beside the traffic",
    "another type, with the old one kept",
    "a contract with its window",
}


ENDLESS = "import time; time.sleep(600)"  # ended by the gate: longer than the test waits


def marked(chosen):
    """Which seeds are for every day, and which for the campaign."""
    return [
        pytest.param(
            seed,
            id=seed.kind,
            marks=pytest.mark.integration if seed.kind in DAILY else pytest.mark.campaign,
        )
        for seed in chosen
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    postgres = Postgres(tmp_path_factory.mktemp("gate"))
    yield postgres
    postgres.down()


@pytest.fixture
def gate(server, tmp_path):
    """A gate on product's history with a seed on top; its code is found before the installed one."""

    def make(seed, *, older=None):
        history = plant(seed, tmp_path)
        python = tmp_path / "python"
        source = tmp_path / "services/product/src"
        python.write_text(f'#!/bin/sh\nPYTHONPATH={source} exec {sys.executable} "$@"\n')
        python.chmod(0o755)
        return Gate(PRODUCT, history, python, server, older=older, newer=None)

    return make


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The tests of product's first release, as they were, with its code: they know none of this."""
    workspace = Workspace(REPOSITORY)
    recorded = workspace.released(PRODUCT)[0]
    builds = Builds(tmp_path_factory.mktemp("releases"))
    source = workspace.stage_commit(PRODUCT, recorded, into=tmp_path_factory.mktemp("source"))
    tree = tmp_path_factory.mktemp("tree")
    workspace.stage_everything(recorded.commit, into=tree)
    return suite(builds, builds.build(source), tree, tmp_path_factory.mktemp("suites"))


def broken_revision():
    return Seed("broken", None, BY_RULES[0].text.replace("products", "nowhere"))


def test_there_are_enough_seeds_each_of_another_kind():
    """Twenty of either at least."""
    kinds = [seed.kind for seed in (*BREAKING, *SAFE)]

    assert len(BREAKING) >= 20
    assert len(SAFE) >= 20
    assert len(set(kinds)) == len(kinds)
    assert set(kinds) >= DAILY


@pytest.mark.parametrize("seed", marked(BY_RULES))
def test_a_breaking_change_is_caught_and_named(gate, seed):
    """By what PostgreSQL did, by the lint, or by the rules of the two branches."""
    report = gate(seed).check()

    assert seed.rule in {broken.rule for broken in report.broken}
    assert {broken.revision[:4] for broken in report.broken} == {"0003"}
    assert not report.ok


@pytest.mark.parametrize("seed", marked(SAFE))
def test_a_safe_change_passes(gate, seed):
    """Nothing is said of it."""
    report = gate(seed).check()

    assert report.broken == ()
    assert report.ok


@pytest.mark.campaign
@pytest.mark.parametrize("seed", BY_TESTS, ids=lambda seed: seed.kind)
def test_what_only_old_code_notices_is_caught_by_its_own_tests(gate, first, seed):
    """No rule knows what old code writes: its tests do."""
    report = gate(seed, older=first).check()

    (tested,) = report.tested
    assert report.broken == ()
    assert not tested.passed
    assert "failed" in tested.summary or "error" in tested.summary


@pytest.mark.campaign
def test_old_tests_pass_on_a_schema_that_serves_them(gate, first):
    """The control: what fails above fails for the change, not for the way it is run."""
    report = gate(
        next(seed for seed in SAFE if seed.kind == "a nullable column"), older=first
    ).check()

    (tested,) = report.tested
    assert tested.passed, tested.lines
    assert report.ok


@pytest.mark.integration
def test_the_locks_are_those_that_postgresql_took(gate):
    """A column under ACCESS EXCLUSIVE, an index under the lock that nobody waits for."""
    by_kind = {seed.kind: seed for seed in SAFE}
    report = gate(by_kind["a nullable column"]).check()

    assert [(seen.revision, seen.locks) for seen in report.revisions][1:] == [
        ("0002", {"products": "ACCESS EXCLUSIVE"}),
        ("0003", {"products": "ACCESS EXCLUSIVE"}),
    ]


@pytest.mark.integration
def test_what_costs_something_one_day_is_advice(gate):
    """A key of 32 bits on a new table harms nobody now."""
    new_table = next(seed for seed in SAFE if seed.kind == "a table")
    text = new_table.text.replace("sa.BigInteger", "sa.Integer")
    report = gate(Seed("small", None, text)).check()

    assert [advice.rule for advice in report.advice] == ["small-key"]
    assert report.ok


@pytest.mark.integration
def test_a_revision_that_does_not_run_is_told_with_the_runners_words(gate):
    """Not as one that is caught: nothing is known of what it would have done."""
    with pytest.raises(OperationError, match="nowhere"):
        gate(broken_revision()).check()


@pytest.mark.integration
def test_a_gate_that_is_left_waits_for_no_suite(gate, tmp_path):
    """By Ctrl-C as by an error, as here: nobody hears any more what the suite has to say, which takes ten minutes."""
    tests = tmp_path / "tree/services/product/tests"
    tests.mkdir(parents=True)
    (tests / "test_endless.py").write_text(ENDLESS)
    settings = '[tool.pytest.ini_options]\nmarkers = ["integration"]\n'
    (tmp_path / "tree/pyproject.toml").write_text(settings)
    older = Suite(Release(PRODUCT, "1.0.0", "0" * 8), tmp_path / "tree", Path(sys.executable))
    began = time.monotonic()

    with pytest.raises(OperationError, match="nowhere"):
        gate(broken_revision(), older=older).check()
    assert time.monotonic() - began < 120
