"""Following rollouts: a line a change, and an exit code that tells whether all went as it should."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace

import pytest
from engine.orders import order
from rich.console import Console

from deployer.analysis import Counts, Look, Rule, Verdict, VerdictKind
from deployer.cli.follow import exit_for, follower, rollouts_table
from deployer.engine import Done, Failed, Kind, Looked, Phase, Rollout, begin_rollout
from deployer.model import ServiceName

LOOKED = Looked(1.0, Look(at=1.0, candidate=Counts(), live=Counts()))


def state(
    phase: Phase, *, kind: Kind = Kind.ROLLOUT, service: str = "product", **more: object
) -> Rollout:
    wanted = replace(order(kind=kind), service=ServiceName(service))
    return replace(begin_rollout(wanted), phase=phase, **more)  # type: ignore[arg-type]


def verdict(rule: Rule, reason: str) -> Verdict:
    return Verdict(VerdictKind.MORE_DATA, rule, reason)


def test_each_change_is_told_once(capsys: pytest.CaptureFixture[str]):
    """Looks that say the same again are not news; all of it is talk."""
    holding = verdict(Rule.HOLDING, "held 1 of 4 s")
    few = verdict(Rule.TOO_FEW_REQUESTS, "5 of 160 requests")
    with follower() as listen:
        listen(state(Phase.MIGRATING), None)
        listen(state(Phase.STARTING), Done(1.0, Phase.MIGRATING))
        listen(state(Phase.WATCHING, weight=10, verdict=holding), LOOKED)
        listen(state(Phase.WATCHING, weight=10, verdict=holding), LOOKED)
        listen(state(Phase.WATCHING, weight=10, verdict=few), LOOKED)

    out, talk = capsys.readouterr()

    assert out == ""
    assert talk.splitlines() == [
        "product    0 %  migrating",
        "product    0 %  starting",
        "product   10 %  watching: held 1 of 4 s",
        "product   10 %  watching: 5 of 160 requests",
    ]


def test_services_are_followed_side_by_side(capsys: pytest.CaptureFixture[str]):
    """The change of one is no repetition of the other's."""
    with follower() as listen:
        listen(state(Phase.MIGRATING), None)
        listen(state(Phase.MIGRATING, service="auth"), None)

    assert capsys.readouterr().err == "product    0 %  migrating\nauth       0 %  migrating\n"


def test_on_a_terminal_several_rollouts_are_one_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """A row a service, drawn anew with every change of either."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    with follower(2) as listen:
        listen(state(Phase.WATCHING, weight=10), None)
        listen(state(Phase.ROLLED_BACK, service="auth", cause="it failed"), None)
    shown = capsys.readouterr().err

    assert shown.count("product    0 %") == 0
    assert "watching (1/5)" in shown
    assert "it failed" in shown


def test_the_table_has_a_row_a_rollout_in_the_order_of_the_names():
    """With what decided, or what was seen last."""
    console = Console(file=io.StringIO(), width=160)
    few = verdict(Rule.TOO_FEW_REQUESTS, "5 of 160 requests")
    console.print(
        rollouts_table(
            {
                "product": state(Phase.WATCHING, weight=25, step_index=2, verdict=few),
                "auth": state(Phase.STARTING, service="auth"),
            }
        )
    )
    rows = [row for row in console.file.getvalue().splitlines() if "1.1.0" in row]  # type: ignore[attr-defined]
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]

    assert cells == [
        ["auth", "1.0.0", "1.1.0", "0 %", "starting (1/5)", "-"],
        ["product", "1.0.0", "1.1.0", "25 %", "watching (3/5)", "5 of 160 requests"],
    ]


def test_a_failed_action_is_told_with_its_last_lines(capsys: pytest.CaptureFixture[str]):
    """Where it happened, not only at the end."""
    with follower() as listen:
        listen(
            state(Phase.GUARDING), Failed(1.0, Phase.STARTING, "never-ready: it ended", ("a", "b"))
        )

    assert capsys.readouterr().err == (
        "product    0 %  guarding\n  | never-ready: it ended\n  | a\n  | b\n"
    )


@pytest.mark.parametrize(
    ("phase", "kind", "wanted_back", "good"),
    [
        (Phase.PROMOTED, Kind.ROLLOUT, False, True),
        (Phase.ROLLED_BACK, Kind.ROLLOUT, False, False),
        (Phase.FAILED, Kind.ROLLOUT, False, False),
        (Phase.ROLLED_BACK, Kind.ROLLOUT, True, True),
        (Phase.PROMOTED, Kind.ROLLOUT, True, False),
        (Phase.PROMOTED, Kind.ROLLBACK, True, True),
        (Phase.ROLLED_BACK, Kind.ROLLBACK, True, False),
        (Phase.FAILED, Kind.ROLLBACK, True, False),
    ],
)
def test_an_end_that_was_not_wanted_is_exit_1(
    phase: Phase, kind: Kind, *, wanted_back: bool, good: bool, capsys: pytest.CaptureFixture[str]
):
    """A rollout should be promoted; one that is taken back should be rolled back."""
    ended = state(phase, kind=kind, cause="because")
    if good:
        exit_for((ended,), as_json=False, wanted_back=wanted_back)
    else:
        with pytest.raises(SystemExit) as end:
            exit_for((ended,), as_json=False, wanted_back=wanted_back)
        assert end.value.code == 1
    out, err = capsys.readouterr()

    assert out == ""
    assert f"product@1.1.0 {phase}: because" in err
    assert ("hint: deployer why product" in err) is not good


def test_the_hint_names_those_that_went_wrong(capsys: pytest.CaptureFixture[str]):
    """And no other."""
    ends = (state(Phase.PROMOTED), None, state(Phase.ROLLED_BACK, service="auth"))
    with pytest.raises(SystemExit):
        exit_for(ends, as_json=False)
    talk = capsys.readouterr().err

    assert "hint: deployer why auth" in talk
    assert "hint: deployer why product" not in talk


def test_ends_are_data_for_machines(capsys: pytest.CaptureFixture[str]):
    """Those that had something to do, in the order they were asked for."""
    ends = (state(Phase.PROMOTED), None, state(Phase.FAILED, service="auth", cause="stuck"))
    with pytest.raises(SystemExit):
        exit_for(ends, as_json=True)
    first, second = json.loads(capsys.readouterr().out)

    assert first == {
        "service": "product",
        "candidate": "1.1.0",
        "live": "1.0.0",
        "outcome": "promoted",
        "cause": None,
    }
    assert (second["service"], second["outcome"], second["cause"]) == ("auth", "failed", "stuck")
