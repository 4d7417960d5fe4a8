"""Tables and texts for people, from plain values."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from deployer.cli.tables import print_account, print_plan, status_table, watch_table
from deployer.commands.plan import Forecast, ForecastStep
from deployer.commands.status import RolloutLine, ServiceLine, SlotLine
from deployer.commands.why import Account, Decision, Split
from deployer.model import RolloutId, ServiceName, Slot

PRODUCT = ServiceName("product")
LIVE = SlotLine(Slot.BLUE, "1.0.0", weight=90, instances=2, ready=1)
BESIDE = SlotLine(Slot.GREEN, "1.1.0", weight=10, instances=2, ready=2)


def drawn(line: ServiceLine) -> list[str]:
    """Draw one service and return its cells."""
    console = Console(file=io.StringIO(), width=200)
    console.print(status_table((line,)))
    (row,) = (row for row in console.file.getvalue().splitlines() if "product" in row)  # type: ignore[attr-defined]
    return [cell.strip() for cell in row.strip("│┃").split("│")]


def line(**more: object) -> ServiceLine:
    values = dict.fromkeys(("live", "candidate", "standby", "standby_until", "rollout"))
    return ServiceLine(PRODUCT, ready=True, **{**values, **more})  # type: ignore[arg-type]


def test_a_service_that_was_never_here_is_a_row_of_dashes():
    """It is there, and nothing of it runs."""
    assert drawn(line()) == ["product", "-", "-", "-", "-", "-", "-"]


def test_a_service_that_rests_shows_what_stands_by():
    """Versions with their slots, instances that are ready of those wanted."""
    cells = drawn(line(live=LIVE, standby=BESIDE))

    assert cells == ["product", "1.0.0 (blue)", "1/2", "1.1.0 (green, standby)", "-", "-", "-"]


@pytest.mark.parametrize(
    ("verdict", "shown"), [("too-few-requests", "too-few-requests"), (None, "-")]
)
def test_a_service_that_moves_shows_where_it_is(verdict: str | None, shown: str):
    """The candidate, its share, the phase with its step, and the rule that spoke last."""
    moving = RolloutLine(3, "1.1.0", "watching", step=2, steps=5, verdict=verdict)
    cells = drawn(line(live=LIVE, candidate=BESIDE, rollout=moving))

    assert cells[3:] == ["1.1.0 (green)", "10 %", "watching (2/5)", shown]


def test_a_table_is_drawn_again_until_ctrl_c(monkeypatch: pytest.MonkeyPatch):
    """Each time from what is so then."""
    drawings: list[int] = []

    def draw() -> str:
        drawings.append(len(drawings))
        return f"drawing {len(drawings)}"

    def sleep(_seconds: float) -> None:
        if len(drawings) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("deployer.cli.tables.time.sleep", sleep)
    watch_table(draw)

    assert drawings == [0, 1, 2]


def test_a_table_that_is_wanted_once_is_drawn_once(capsys: pytest.CaptureFixture[str]):
    """To stdout: it is data."""
    watch_table(lambda: "the table", once=True)

    assert capsys.readouterr() == ("the table\n", "")


def forecast(*steps: ForecastStep, live: str | None = "1.0.0") -> Forecast:
    return Forecast(PRODUCT, "canary", live, "1.1.0", 12.5, 160, 1019.4, steps)


def test_a_plan_says_how_long_and_how_soon(capsys: pytest.CaptureFixture[str]):
    """Seconds up to two minutes, minutes beyond; faults only where requests are judged."""
    faults = ((0.5, 20.0), (0.2, 119.6), (0.1, 1200.0))
    print_plan(
        forecast(
            ForecastStep(0, 1, 2, "smoke", False, 0.0, 0.0, ((0.5, None),)),
            ForecastStep(10, 1, 2, "analysis", True, 60.0, 119.4, faults),
            ForecastStep(100, 1, 2, "monitor", False, 900.0, None, ((0.5, None),)),
            ForecastStep(100, 1, 2, "none", False, 900.0, 900.0, ((0.5, 5.0),)),
        )
    )

    assert capsys.readouterr().out == (
        "product: 1.0.0 -> 1.1.0, canary, at 12.5 requests/s\n"
        "  1.   0 %  smoke     1 + 2 instances, at least 0 s\n"
        "  2.  10 %  analysis  1 + 2 instances, at least 119 s, then a person decides\n"
        "       at today's 1.2 requests/s to the candidate a 50% fault shows in about 20 s,"
        " a 20% fault shows in about 120 s, a 10% fault shows in about 20 min\n"
        "  3. 100 %  monitor   1 + 2 instances, at least as long as it takes\n"
        "  4. 100 %  none      1 + 2 instances, at least 15 min\n"
        "  in all at least 17 min; a step passes after 160 requests or more\n"
    )


def test_a_plan_of_the_first_deployment_comes_from_nothing(capsys: pytest.CaptureFixture[str]):
    """There is no version to leave."""
    print_plan(forecast(live=None))

    assert capsys.readouterr().out.startswith("product: nothing -> 1.1.0")


SPLIT = Split(fault_at=1.0, detected_at=3.0, acted_at=3.25, converged_at=3.75)


def account(outcome: str | None, *decisions: Decision, live: str | None = "1.0.0") -> Account:
    return Account(
        RolloutId(3), PRODUCT, "rollout", "canary", "1.1.0", live, outcome, 12.345, decisions, SPLIT
    )


def test_an_account_tells_each_decision_and_its_reasons(capsys: pytest.CaptureFixture[str]):
    """The moment, from where to where, the share, the rule; a log's lines one below the other."""
    print_account(
        account(
            "rolled-back",
            Decision(0.5, "migrating", "starting", 0, "done", ""),
            Decision(2.0, "starting", "guarding", 0, "action failed", "never-ready\nlast words"),
            Decision(3.0, "watching", "guarding", 10, "fail: cpu", "hot", would_change="less CPU"),
        )
    )

    assert capsys.readouterr().out == (
        "product: rollout 1.0.0 -> 1.1.0: rolled-back after 12.3 s\n"
        "      0.5 s  migrating -> starting  (0 %)  done\n"
        "      2.0 s  starting -> guarding  (0 %)  action failed\n"
        "             never-ready\n"
        "             last words\n"
        "      3.0 s  watching -> guarding  (10 %)  fail: cpu\n"
        "             hot\n"
        "             otherwise: less CPU\n"
        "  time: fault at 1.0 s, detected and decided 2.00 s later, old slot ready 0.25 s later,"
        " all traffic back 0.50 s later\n"
    )


def test_an_account_of_what_is_not_over_says_so(capsys: pytest.CaptureFixture[str]):
    """And a first deployment came from nothing."""
    shown = replace(account(None, live=None), split=None, despite_freeze="the shop is down")
    print_account(shown)

    assert capsys.readouterr().out == (
        "product: rollout nothing -> 1.1.0: on its way after 12.3 s\n"
        "  went out in a freeze: the shop is down\n"
    )
