"""The policy of one service's rollout: what it says of itself, the environment, and the call."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from deployer.analysis import Limits
from deployer.commands.context import Context
from deployer.engine import Hook, Plan, PlanError, Point, blue_green, canary, gradual, rolling
from deployer.environment import RolloutPolicy, layered
from deployer.errors import InputError
from deployer.model import ServiceName

Options = Mapping[str, object]
"""Keys of `[rollout]` that a call sets, above service and environment."""

NO_OPTIONS: Options = {}


def policy_of(
    context: Context, service: ServiceName, options: Options = NO_OPTIONS
) -> RolloutPolicy:
    """Return the policy of a service: its own, the environment's above it, the options on top.

    Raises InputError `policy-broken` when an option is out of range.
    """
    environment = context.environment
    single = environment.services.get(service)
    own = context.workspace.declaration(service).rollout
    try:
        return layered(
            own.model_dump(exclude_unset=True),
            environment.rollout.model_dump(exclude_unset=True),
            single.rollout.model_dump(exclude_unset=True) if single else {},
            options,
        )
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise _broken(f"{key}: {first['msg']} (it is {first['input']!r})") from error


def plan_of(policy: RolloutPolicy, *, live_instances: int) -> Plan:
    """Return the plan of the policy's strategy; raise InputError `policy-broken` for a bad one."""
    counts = {"instances": policy.instances, "live_instances": live_instances}
    try:
        match policy.strategy:
            case "canary":
                return canary(
                    **counts,
                    weights=policy.weights,
                    hold_seconds=policy.hold_seconds,
                    gates=policy.gates,
                )
            case "blue-green":
                return blue_green(**counts)
            case "rolling":
                return rolling(**counts, hold_seconds=policy.hold_seconds)
    except PlanError as error:
        raise _broken(str(error)) from error


def way_back_of(policy: RolloutPolicy, *, live_instances: int, gradually: bool) -> Plan:
    """Return the plan of a rollback after promotion: all traffic at once, or step by step."""
    counts = {"instances": policy.instances, "live_instances": live_instances}
    if not gradually:
        return blue_green(**counts)
    try:
        return gradual(**counts, weights=policy.ease_weights, hold_seconds=policy.ease_seconds)
    except PlanError as error:
        raise _broken(str(error)) from error


def hooks_of(context: Context, service: ServiceName) -> tuple[Hook, ...]:
    """Return the hooks that a service declares."""
    return tuple(
        Hook(Point(each.at), each.command, each.url, each.timeout_seconds)
        for each in context.workspace.declaration(service).hooks
    )


def limits_of(context: Context) -> Limits:
    """Return the limits of the environment's policy."""
    policy = context.environment.limits
    return Limits(
        error_share=policy.error_share,
        slow_share=policy.slow_share,
        slow_seconds=policy.slow_seconds,
        health_failures=policy.health_failures,
        resource_share=policy.resource_share,
    )


def _broken(why: str) -> InputError:
    return InputError(
        "policy-broken",
        f"the rollout's policy: {why}",
        hint="mend [rollout] in the environment's file or [tool.deployer.rollout], or the option",
    )
