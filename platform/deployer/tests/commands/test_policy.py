"""Policies: who has the last word on how a service goes out."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployer.commands.context import Context, open_context
from deployer.commands.policy import hooks_of, plan_of, policy_of, way_back_of
from deployer.engine import Hook, Point
from deployer.environment import RolloutPolicy
from deployer.errors import InputError
from deployer.model import ServiceName

PRODUCT = ServiceName("product")


def reopened(checkout: Path, *, service: str = "", environment: str = "") -> Context:
    """Add to the service's pyproject.toml and to the environment's file, and open it."""
    for path, text in (
        (checkout / "services/product/pyproject.toml", service),
        (checkout / "environments/local.toml", environment),
    ):
        path.write_text(f"{path.read_text()}\n{text}\n")
    return open_context(checkout, "local")


def test_a_service_says_how_it_goes_out(checkout: Path):
    """Where the environment is silent, its own word counts; elsewhere the environment's does."""
    own = '[tool.deployer.rollout]\nstrategy = "rolling"\nhold_seconds = 9'
    policy = policy_of(reopened(checkout, service=own), PRODUCT)

    assert policy.strategy == "rolling"
    assert policy.hold_seconds == 0.5  # the environment's


def test_an_environment_may_say_otherwise_of_one_service_and_a_call_of_all(checkout: Path):
    """The nearer to the moment, the stronger."""
    own = '[tool.deployer.rollout]\nstrategy = "rolling"\ninstances = 4'
    single = '[services.product.rollout]\nstrategy = "blue-green"\ninstances = 3'
    context = reopened(checkout, service=own, environment=single)

    assert policy_of(context, PRODUCT).strategy == "blue-green"
    assert policy_of(context, PRODUCT, {"strategy": "canary"}).strategy == "canary"
    assert policy_of(context, PRODUCT, {"strategy": "canary"}).instances == 3


def test_an_environment_that_names_no_service_of_ours_is_refused(checkout: Path):
    """A policy for a misspelt name would never be met."""
    with pytest.raises(InputError) as refused:
        reopened(checkout, environment="[services.prodct.rollout]\ninstances = 3")

    assert refused.value.code == "unknown-service"
    assert refused.value.hint == "did you mean product?"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"hold_seconds": -1.0}, "hold_seconds: Input should be greater than or equal to 0"),
        ({"instances": 0}, "instances"),
        ({"strategy": "yolo"}, "strategy"),
    ],
)
def test_an_option_out_of_range_is_refused_with_its_key(
    context: Context, options: dict[str, object], complaint: str
):
    """And with the value that was given."""
    with pytest.raises(InputError) as refused:
        policy_of(context, PRODUCT, options)

    assert refused.value.code == "policy-broken"
    assert complaint in refused.value.cause


@pytest.mark.parametrize(
    ("values", "complaint"),
    [({"weights": (50, 10, 100)}, "must rise"), ({"gates": (33,)}, "gate stands")],
)
def test_a_policy_that_makes_no_plan_is_refused(values: dict[str, object], complaint: str):
    """Before anything is built."""
    with pytest.raises(InputError, match=complaint) as refused:
        plan_of(RolloutPolicy.model_validate(values), live_instances=1)

    assert refused.value.code == "policy-broken"


def test_a_way_back_that_makes_no_plan_is_refused():
    """The shares of the bad release must fall."""
    policy = RolloutPolicy(ease_weights=(10, 50))
    with pytest.raises(InputError, match="must fall"):
        way_back_of(policy, live_instances=1, gradually=True)

    assert [step.weight for step in way_back_of(policy, live_instances=1, gradually=False)] == [
        0,
        100,
    ]


@pytest.mark.parametrize(("strategy", "steps"), [("canary", 5), ("blue-green", 2), ("rolling", 3)])
def test_every_strategy_has_its_plan(strategy: str, steps: int):
    """Three small functions, one engine."""
    policy = RolloutPolicy.model_validate({"strategy": strategy, "instances": 3})

    assert len(plan_of(policy, live_instances=3)) == steps


HOOKS = """
[[tool.deployer.hooks]]
at = "before-traffic"
command = ["./warm-up"]

[[tool.deployer.hooks]]
at = "after-rollback"
url = "http://127.0.0.1:9/tell"
timeout_seconds = 5
"""


def test_hooks_are_what_the_service_declares(checkout: Path):
    """A command or a URL, at a point, with a time."""
    assert hooks_of(reopened(checkout, service=HOOKS), PRODUCT) == (
        Hook(Point.BEFORE_TRAFFIC, ("./warm-up",)),
        Hook(Point.AFTER_ROLLBACK, url="http://127.0.0.1:9/tell", timeout_seconds=5),
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('at = "before-traffic"', 'at = "whenever"'), "at: Input should be 'before-rollout'"),
        (('command = ["./warm-up"]', ""), "a command or a url, one of both"),
        (("timeout_seconds = 5", "timeout_seconds = 0"), "timeout_seconds"),
        (("timeout_seconds = 5", "patience = 5"), "patience: Extra inputs"),
    ],
)
def test_a_broken_hook_is_refused_with_its_key(
    checkout: Path, change: tuple[str, str], complaint: str
):
    """A check that is never called looks like one that says yes."""
    with pytest.raises(InputError) as refused:
        hooks_of(reopened(checkout, service=HOOKS.replace(*change)), PRODUCT)

    assert refused.value.code == "service-broken"
    assert complaint in refused.value.cause


def test_an_environment_of_another_target_says_how_to_rehearse_it(checkout: Path):
    """`--target local` takes the place of what its file says."""
    text = (checkout / "environments/local.toml").read_text()
    (checkout / "environments/prod.toml").write_text(text.replace('"local"', '"kubernetes"', 1))
    with pytest.raises(InputError) as refused:
        _ = open_context(checkout, "prod").local

    assert refused.value.code == "not-local"
    assert refused.value.hint.endswith("--env prod --target local")
    assert open_context(checkout, "prod", target="local").target.records.services() == ()
