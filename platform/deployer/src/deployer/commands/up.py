"""`up` and `down`: the whole environment, there and gone."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from deployer.commands.context import Context
from deployer.commands.orders import carry_out, leased, order_rollout, take_over, unfinished
from deployer.commands.release import Wanted, build_release
from deployer.commands.running import retire_standbys
from deployer.driver import decode_order, unheard
from deployer.engine import Kind, Phase, Rollout
from deployer.errors import OperationError
from deployer.ledger import LeaseHeldError
from deployer.model import Release, ServiceName
from deployer.threads import gather, threads

ONE_AT_A_TIME = "up.lock"


def up(context: Context, versions: Mapping[ServiceName, Wanted] | None = None) -> None:
    """Bring the environment up: database, router, and every service.

    A service that was here before comes back as it was, whatever died; a new one is installed from
    `versions` or the tree. Does nothing where everything runs. Raises OperationError or
    ConflictError with what did not come up.
    """
    context.state.mkdir(parents=True, exist_ok=True)
    services = context.workspace.services
    with _alone(context), threads(len(services) + 1) as pool:
        wanted = {service: (versions or {}).get(service, Wanted(service)) for service in services}
        if not context.builds.standalone:
            context.target.up(services)
        built = {
            service: pool.submit(build_release, context, wanted[service])
            for service in services
            if context.target.situation(service, ask=False).live is None
        }
        if context.builds.standalone:
            context.target.up(services)
        jobs = [
            pool.submit(_install, context, service, built[service].result)
            if service in built
            else pool.submit(_heal, context, service)
            for service in services
        ]
        gather(jobs)
    retire_standbys(context)


def plan_up(context: Context) -> tuple[str, ...]:
    """Say what `up` would do, a line a service."""
    lines = []
    for service in context.workspace.services:
        live = context.target.situation(service).serving
        if live is None:
            lines.append(
                f"{service}: would install {context.workspace.declaration(service).version}"
            )
        elif not live.ready:
            lines.append(f"{service}: would start {live.release.version} again")
        else:
            lines.append(f"{service}: {live.release.version} runs")
    return tuple(lines)


def down(context: Context) -> None:
    """Stop every process of the environment; what it knows stays, for the next `up`."""
    if not context.state.exists():
        return
    with _alone(context):
        context.target.down()


def _install(context: Context, service: ServiceName, built: Callable[[], Release]) -> None:
    left = unfinished(context, service)
    if left is not None:  # an `up` that died in the middle
        with leased(context, service):
            _heal_candidate_too(context, service)
        _require_promoted(take_over(context, left, listen=unheard))
        return
    release = built()
    context.say(f"installing {release.name}")
    _require_promoted(
        carry_out(context, service, lambda: order_rollout(context, release), listen=unheard)
    )


def _require_promoted(state: Rollout) -> None:
    if state.phase is not Phase.PROMOTED:
        raise OperationError(
            "never-up",
            f"{state.order.candidate.name} did not come up: {state.cause}",
            hint=f"deployer why {state.order.service}",
        )


def _heal(context: Context, service: ServiceName) -> None:
    left = unfinished(context, service)
    try:
        with leased(context, service):
            if left is None:
                context.target.heal(service)
            else:
                _heal_candidate_too(context, service)
    except LeaseHeldError as error:
        context.say(f"{service}: left to {error.lease.holder}, which is moving its traffic")
        return
    if left is not None and decode_order(left.order).kind is Kind.INSTALL:
        _require_promoted(take_over(context, left, listen=unheard))
    elif left is not None:
        context.say(f"{service}: a rollout was interrupted; deployer resume {service}")


def _heal_candidate_too(context: Context, service: ServiceName) -> None:
    """Start what was there while a rollout was under way."""
    try:
        context.target.heal(service)
    except OperationError as error:
        status = context.target.situation(service).serving
        if status is not None and not status.ready:
            raise
        # The candidate's own fault: the rollout meets it and turns back when it goes on.
        context.say(f"{service}: {error}")


@contextmanager
def _alone(context: Context) -> Iterator[None]:
    """Let one `up` or `down` at a time work on an environment; the next waits."""
    with (context.state / ONE_AT_A_TIME).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            context.say("waiting for another deployer to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
