"""Environments: what is read, and how what is wrong is told: file, line, key, hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployer.environment import layered, load_environment
from deployer.errors import InputError

CHECKOUT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "environments"
    path.mkdir()
    return path


def broken(folder: Path, text: str) -> InputError:
    (folder / "local.toml").write_text(text)
    with pytest.raises(InputError) as refused:
        load_environment(folder, "local")
    assert refused.value.code == "environment-broken"
    assert "environments/local.toml" in refused.value.cause
    return refused.value


def test_the_local_environment_has_the_missions_limits():
    """Its holds are short, its limits are everybody's."""
    local = load_environment(CHECKOUT / "environments", "local")

    assert local.target == "local"
    assert (local.limits.error_share, local.limits.slow_share) == (0.05, 0.05)
    assert (local.limits.health_failures, local.limits.resource_share) == (3, 0.90)
    assert local.rollout.weights == (10, 25, 50, 100)


def test_a_missing_environment_names_those_there_are(folder: Path):
    """And the nearest one as a hint."""
    (folder / "local.toml").write_text('target = "local"')
    (folder / "staging.toml").write_text('target = "local"')
    with pytest.raises(InputError) as refused:
        load_environment(folder, "stagin")

    assert refused.value.code == "environment-missing"
    assert "local, staging" in refused.value.cause
    assert refused.value.hint == "use --env staging"


def test_broken_toml_names_the_line(folder: Path):
    """As the parser says it."""
    error = broken(folder, 'target = "local"\n[rollout\n')

    assert "line 2" in error.cause


def test_an_unknown_key_is_named_with_its_line_and_the_nearest(folder: Path):
    """A typing error must not pass as a default."""
    error = broken(folder, 'target = "local"\n\n[rollout]\nhold_second = 5\n')

    assert "line 4, key rollout.hold_second" in error.cause
    assert error.hint == "did you mean hold_seconds?"


def test_an_unknown_section_lists_what_is_known(folder: Path):
    """Where nothing is near, everything is named."""
    error = broken(folder, 'target = "local"\n[xyzzy]\na = 1\n')

    assert "line 2, key xyzzy" in error.cause
    assert "limits" in error.hint


def test_a_value_out_of_range_is_shown(folder: Path):
    """With the value, the line and the rule."""
    error = broken(folder, 'target = "local"\n[limits]\nerror_share = 5\n')

    assert "line 3, key limits.error_share" in error.cause
    assert "less than or equal to 1" in error.cause
    assert "(it is 5)" in error.cause


def test_a_missing_target_is_named(folder: Path):
    """The one key without a default."""
    error = broken(folder, "[rollout]\nhold_seconds = 5\n")

    assert "key target" in error.cause


def test_prod_holds_a_quarter_of_an_hour_a_step_and_after_promotion():
    """The mission's figures, and its limits."""
    prod = load_environment(CHECKOUT / "environments", "prod")

    assert (prod.rollout.hold_seconds, prod.rollout.monitor_seconds) == (900, 900)
    assert prod.rollout.weights == (10, 25, 50, 100)
    assert prod.limits == load_environment(CHECKOUT / "environments", "local").limits
    assert not prod.instance.faults_allowed


def test_a_broken_freeze_window_is_named_with_its_key(folder: Path):
    """Also one in a list of tables."""
    window = '[[freeze]]\nreason = "x"\nfrom = 2026-12-24T00:00:00Z\nuntil = "soon"\n'
    error = broken(folder, f'target = "local"\n{window}')

    assert "line 5, key freeze.until" in error.cause


def test_a_service_may_have_a_policy_of_its_own(folder: Path):
    """Only the keys that are set count above the environment's."""
    text = 'target = "local"\n[services.product.rollout]\nstrategy = "rolling"\n'
    (folder / "local.toml").write_text(text)
    environment = load_environment(folder, "local")

    own = environment.services["product"].rollout
    assert own.model_dump(exclude_unset=True) == {"strategy": "rolling"}


def test_layers_of_a_policy_go_above_each_other_key_by_key():
    """What a layer does not say is the one's below, and in the end the default."""
    policy = layered({"strategy": "rolling", "instances": 3}, {"instances": 2}, {})

    assert (policy.strategy, policy.instances) == ("rolling", 2)
    assert policy.weights == (10, 25, 50, 100)


def test_the_name_is_the_files(folder: Path):
    """It can't be set inside."""
    error = broken(folder, 'name = "prod"\ntarget = "local"\n')

    assert "`name`" in error.cause


@pytest.mark.parametrize(
    "line",
    ["lock_budget_ms = 0", "duration_budget_seconds = -1", "rows = 0", "lock_budget = 100"],
)
def test_a_budget_that_makes_no_sense_is_refused(folder: Path, line: str):
    """With its place; a budget of nothing would stop every change."""
    error = broken(folder, f'target = "local"\n\n[migrations]\n{line}\n')

    assert f"line 4, key migrations.{line.partition(' ')[0]}" in error.cause


def test_staging_rehearses_within_the_budget_of_production():
    """What passed there may go out here."""
    staging, prod = (load_environment(CHECKOUT / "environments", n) for n in ("staging", "prod"))

    assert staging.migrations == prod.migrations
    assert staging.migrations.lock_budget_ms == 100
