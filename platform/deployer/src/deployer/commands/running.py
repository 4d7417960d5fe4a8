"""`resume`, `abort`, `promote`, `pause`: wishes for a rollout that is on its way.

A living holder is asked, and answers within a tenth of a second. Of one that died, whoever comes
takes the place: `resume` goes on, `abort` takes back, `watch` goes on with whatever is left behind.
"""

from __future__ import annotations

import threading
import time

from deployer.commands.context import Context
from deployer.commands.orders import interrupted, is_free, leased, take_over, unfinished
from deployer.commands.rollback import wish
from deployer.driver import Listener, read_rollout, unheard
from deployer.engine import Rollout
from deployer.errors import DeployerError, InputError
from deployer.ledger import Header, LeaseHeldError, Verb
from deployer.model import ServiceName

WATCH_SECONDS = 1.0  # how soon a rollout without a holder is seen
WATCHING = "watching"  # a file of the state's: its age is how long ago a watcher looked


def resume(context: Context, service: ServiceName, *, listen: Listener = unheard) -> Rollout | None:
    """Go on with a rollout that is paused, or whose process died.

    Returns it at its end, or None when its process lives and was asked to go on. Raises InputError
    `nothing-to-resume` when there is none, LeaseHeldError when it goes on by itself.
    """
    header = _interrupted(context, service)
    asking = wish(context, Verb.CONTINUE, why="resumed by hand")
    paused = read_rollout(context.ledger, header).paused
    try:
        return take_over(context, header, listen=listen, asking=asking if paused else None)
    except LeaseHeldError:
        if not paused:
            raise
    context.ledger.request(header.service, header.id, asking)
    return None


def abort(
    context: Context, service: ServiceName, *, why: str, listen: Listener = unheard
) -> Rollout | None:
    """Give the traffic back. Asks a living process; takes the place of a dead one.

    Returns the rollout at its end, or None when its process was asked.
    """
    header = _running(context, service)
    asking = wish(context, Verb.ABORT, why=why)
    try:
        return take_over(context, header, listen=listen, asking=asking)
    except LeaseHeldError:
        context.ledger.request(header.service, header.id, asking)
        return None


def request(context: Context, service: ServiceName, verb: Verb, *, why: str) -> None:
    """Ask the holder of a running rollout for something.

    Raises InputError when none is running, or when its holder is dead and nobody would hear.
    """
    header = _running(context, service)
    try:
        with leased(context, service):
            raise interrupted(header)
    except LeaseHeldError:
        context.ledger.request(header.service, header.id, wish(context, verb, why=why))


def watch(context: Context, *, once: bool = False, listen: Listener = unheard) -> tuple[str, ...]:
    """Go on with every rollout whose holder died, and empty the slots whose standby is over.

    Looks every second until interrupted; with `once` a single time, and returns when what it took
    over has ended. Returns a line for each. Touches a file at each look, by which a probe sees that
    it goes on looking.
    """
    context.state.mkdir(parents=True, exist_ok=True)
    taken: dict[ServiceName, threading.Thread] = {}
    told: list[str] = []
    while True:
        (context.state / WATCHING).touch()
        for service in context.installed:
            header = unfinished(context, service)
            if header is not None and service not in taken and is_free(context, service):
                context.say(f"going on with rollout {header.id} of {service}: its process died")
                taken[service] = _carry_on(context, header, told, listen)
        retire_standbys(context)
        if once:
            for thread in taken.values():
                thread.join()
            return tuple(told)
        taken = {service: thread for service, thread in taken.items() if thread.is_alive()}
        time.sleep(WATCH_SECONDS)


def retire_standbys(context: Context) -> tuple[ServiceName, ...]:
    """Scale the slots whose standby is over to nothing; return the services where that was so.

    They stay installed: an undo is scale, wait, route.
    """
    retired = []
    for service in context.installed:
        found = context.target.situation(service, ask=False)
        if found.live is None or found.standby_until is None:
            continue
        if found.standby_until > context.clock.now():
            continue
        idle = found.live.other
        held = found.of(idle)
        try:
            with leased(context, service) as lease:
                if held is not None:
                    context.target.scale(
                        idle, held.release, 0, fence=lease.fence, interrupted=lambda: False
                    )
                context.target.promote(service, found.live, standby_until=None, fence=lease.fence)
        except LeaseHeldError:
            continue  # a rollout is using that slot: it decides
        retired.append(service)
    return tuple(retired)


def describe_resume(context: Context, service: ServiceName) -> str:
    """Say where `resume` would go on."""
    return f"would go on with {describe_running(context, _interrupted(context, service))}"


def describe_running(context: Context, header: Header) -> str:
    """Say where a rollout stands."""
    state = read_rollout(context.ledger, header)
    step = f"step {state.step_index + 1} of {len(state.order.plan)}"
    return f"{state.order.subject}: {state.phase}, {step}"


def describe_request(context: Context, service: ServiceName, verb: Verb) -> str:
    """Say what a wish would concern."""
    return f"would {verb} {describe_running(context, _running(context, service))}"


def _carry_on(
    context: Context, header: Header, told: list[str], listen: Listener
) -> threading.Thread:
    def work() -> None:
        try:
            state = take_over(context, header, listen=listen)
            told.append(f"{state.order.subject} {state.phase}")
        except DeployerError as error:  # another watcher was faster, or took it over
            told.append(f"{header.service}: {error.cause}")

    thread = threading.Thread(target=work, name=f"watch-{header.service}", daemon=True)
    thread.start()
    return thread


def _interrupted(context: Context, service: ServiceName) -> Header:
    header = unfinished(context, service)
    if header is None:
        raise InputError(
            "nothing-to-resume",
            f"no rollout of {service} was interrupted",
            hint=f"deployer why {service} tells how the last one ended",
        )
    return header


def _running(context: Context, service: ServiceName) -> Header:
    header = unfinished(context, service)
    if header is None:
        raise InputError(
            "no-rollout-running",
            f"no rollout of {service} is running",
            hint=f"deployer rollback {service} undoes the last one",
        )
    return header
