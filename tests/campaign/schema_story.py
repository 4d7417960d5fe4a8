"""The true story of user's schema, told by its releases: expand, roll back, expand again, contract, revert.

1.0.0 writes one name, 1.1.0 a given and a family name beside it, and 1.2.0 brings the contract that takes
the one name, and one more expand revision.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import urllib3
from campaign.passages import clients, deployer, under_load
from e2e.shop import USER

from deployer.commands.context import Context
from deployer.commands.demo.story import Customer, stories
from deployer.commands.demo.traffic import Answer, Traffic
from deployer.commands.release import Wanted
from deployer.commands.rollback import rollback
from deployer.commands.rollout import rollout
from deployer.engine import Phase
from deployer.model import ServiceName
from deployer.releases import Version

AUTH = ServiceName("auth")
ONE_NAME, TWO_NAMES, NEWEST = Version(1, 0, 0), Version(1, 1, 0), Version(1, 2, 0)
PER_SECOND = 100.0
CLIENTS = 16


def customers(context: Context, customer: Customer) -> AbstractContextManager[Traffic]:
    """Let customers, freshly logged in, read and write their profiles without a pause in the story."""
    told = {story.service: story for story in stories(context.workspace)}
    (login,) = (step for step in told[AUTH].steps if "token" in dict(step.save))
    with urllib3.PoolManager(retries=False, timeout=10.0) as http:
        customer.play(login, http)
    return clients(customer, told[USER].traffic, per_second=PER_SECOND, count=CLIENTS)


def tell(context: Context, traffic: Traffic) -> dict[str, tuple[str, list[Answer]]]:
    """Tell the story; return of every chapter what was said, and the requests that were lost in it."""
    apply = ("migrations", "apply", f"{USER}@{NEWEST}", "--phase")
    revert = ("migrations", "revert", f"{USER}@{NEWEST}", "--to", "0002")
    chapters: dict[str, Callable[[], str]] = {
        "rolled out with an expand": lambda: promote(context, TWO_NAMES),
        "rolled back": lambda: take_back(context),
        "promoted": lambda: promote(context, TWO_NAMES),
        "contract too early": lambda: deployer(context, *apply, "contract", codes=(1,)),
        "expanded while a contract is open": lambda: promote(context, NEWEST),
        "revert too early": lambda: deployer(context, *revert, codes=(1,)),
        "rolled back again": lambda: take_back(context),
        "reverted": lambda: deployer(context, *revert),
        "promoted again": lambda: promote(context, NEWEST),
        "contracted": lambda: deployer(context, *apply, "contract"),
    }
    return {name: _told(traffic, chapter) for name, chapter in chapters.items()}


def _told(traffic: Traffic, chapter: Callable[[], str]) -> tuple[str, list[Answer]]:
    said: list[str] = []
    passage = under_load(traffic, lambda: said.append(chapter()))
    return said[0], [answer for answer in passage.answers if not answer.ok]


def promote(context: Context, version: Version) -> str:
    """Roll a release of user out and return it."""
    (state,) = rollout(context, [Wanted(USER, version)])
    assert state is not None
    assert state.phase is Phase.PROMOTED, state.cause
    return state.order.candidate.name


def take_back(context: Context) -> str:
    """Roll user back and return what is live."""
    state = rollback(context, USER)
    assert state.phase in {Phase.PROMOTED, Phase.ROLLED_BACK}, state.cause
    live = context.live(USER)
    assert live is not None
    return live.name


def verify(told: dict[str, tuple[str, list[Answer]]]) -> None:
    """Whatever was done, no request was lost, and what was asked for too early was refused."""
    said = {name: words for name, (words, _) in told.items()}
    assert {name: lost for name, (_, lost) in told.items() if lost} == {}
    assert said["rolled back"] == f"{USER}@{ONE_NAME}"
    assert "error[contract-too-early]" in said["contract too early"]
    assert f"{USER}@{ONE_NAME}, in standby, still needs" in said["contract too early"]
    assert "error[revision-needed]" in said["revert too early"]
    assert f"{USER}@{NEWEST}, live, needs expand 0003" in said["revert too early"]
    assert said["rolled back again"] == f"{USER}@{TWO_NAMES}"
    assert "took back 0003" in said["reverted"]
    assert "applied c001" in said["contracted"]
