"""The demo's show: rows from plain values, a live table on a terminal, lines elsewhere."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from engine.orders import order
from rich.console import Console
from shopfront import until

from deployer.analysis import Rule, Verdict, VerdictKind
from deployer.cli import theatre
from deployer.commands.demo import Report, Scene
from deployer.commands.demo.report import BadRelease, Promotion
from deployer.commands.demo.traffic import Answer
from deployer.engine import Phase, Rollout, begin_rollout
from deployer.model import ServiceName

PRODUCT, AUTH = ServiceName("product"), ServiceName("auth")
REPORT = Report(
    up_seconds=7.0,
    story_seconds=61.25,
    pss_mb=640.4,
    slot_mb={},
    promotion=Promotion(1000, 1, 30.0),
    bad_release=BadRelease(500, 20, 2, 3.04, 0.12, 90),
    untouched={AUTH: True, ServiceName("user"): False, ServiceName("order"): True},
    served={"product@1.0.0": 900, "product@1.1.0": 12345},
)


def moving(**more: object) -> Rollout:
    return replace(begin_rollout(order()), phase=Phase.WATCHING, weight=25, **more)  # type: ignore[arg-type]


def answer(service: ServiceName, *, ago: float, status: int = 200, seconds: float = 0.1) -> Answer:
    return Answer(service, time.time() - ago, seconds, status, "1.0.0", injected=False)


def scene(*answers: Answer, rollout: Rollout | None = None) -> Scene:
    traffic = SimpleNamespace(answers=answers)
    return Scene("3. It goes out", (AUTH, PRODUCT), {PRODUCT: "1.0.0"}, rollout, (traffic,))  # type: ignore[arg-type]


def test_a_row_sums_up_a_services_answers():
    """All requests and errors so far; how late they are of the last seconds only."""
    auth, product = theatre._rows(
        scene(
            answer(PRODUCT, ago=60, seconds=9.0),
            answer(PRODUCT, ago=1, status=500, seconds=0.25),
            answer(AUTH, ago=60),
        )
    )

    assert auth == ("auth", "-", "-", "-", "-", "1", "0", "0 ms")
    assert product == ("product", "1.0.0", "-", "-", "-", "2", "1", "250 ms")


def test_a_row_shows_what_moves():
    """The phase until there is a verdict, then its reason; other services' rows stay as they are."""
    verdict = Verdict(VerdictKind.MORE_DATA, Rule.HOLDING, "held 1 of 4 s")
    silent = theatre._rows(scene(rollout=moving()))
    spoken = theatre._rows(scene(rollout=moving(verdict=verdict)))

    assert silent[0][2:5] == ("-", "-", "-")
    assert silent[1][2:5] == ("1.1.0", "25 %", "watching")
    assert spoken[1][4] == "held 1 of 4 s"


def test_the_table_has_a_row_a_service_and_the_scenes_title():
    """In the columns that the story speaks of."""
    console = Console(file=io.StringIO(), width=160)
    console.print(theatre._table(scene(answer(PRODUCT, ago=1), rollout=moving())))
    shown = console.file.getvalue()  # type: ignore[attr-defined]

    assert "3. It goes out" in shown
    for word in ("service", "live", "candidate", "weight", "requests", "errors", "p95", "verdict"):
        assert word in shown
    (row,) = (row for row in shown.splitlines() if "product" in row)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "product",
        "1.0.0",
        "1.1.0",
        "25 %",
        "1",
        "0",
        "100 ms",
        "watching",
    ]


def test_without_a_terminal_only_what_moves_is_a_line():
    """A log of a pipeline is not filled with services that rest."""
    assert theatre._lines(scene(answer(PRODUCT, ago=1))) == []
    assert theatre._lines(scene(answer(PRODUCT, ago=1), rollout=moving())) == [
        "   product 1.0.0: 1 requests, 0 errors, p95 100 ms; 1.1.0 at 25 %: watching"
    ]


def test_the_report_is_told_in_figures(capsys: pytest.CaptureFixture[str]):
    """Who served what, what was lost, how fast it was caught, who was not touched."""
    theatre._print_report(REPORT)
    out, talk = capsys.readouterr()

    assert out == ""
    for text in (
        "product@1.0.0               900 answers",
        "product@1.1.0             12345 answers",
        "requests lost                 3   (and 20 errors of the bad release)",
        "time to detect              3.0 s",
        "time to roll back           0.1 s",
        "memory, all in all          640 MB",
        "never touched            auth, order\n",
        "the whole story            61.2 s",
    ):
        assert text in talk


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Put a play on that tells one thing and waits until a frame was drawn."""
    put_on: dict[str, object] = {}

    class Play:
        def __init__(self, context, scene: Scene, *, tell: Callable[[str], None]) -> None:
            put_on.update(context=context, scene=scene, tell=tell)

        def perform(self) -> Report:
            shown = put_on["scene"]
            assert isinstance(shown, Scene)
            shown.services, shown.live, shown.rollout = (PRODUCT,), {PRODUCT: "1.0.0"}, moving()
            tell = put_on["tell"]
            tell("1. The stack [bold]comes up")  # type: ignore[operator]
            until(put_on["drawn"], "a frame is drawn")  # type: ignore[arg-type]
            return REPORT

    monkeypatch.setattr(theatre, "Play", Play)
    monkeypatch.setattr(theatre, "FRAME_SECONDS", 0.01)
    monkeypatch.setattr(theatre, "LINE_SECONDS", 0.01)
    return put_on


def test_the_show_without_a_terminal_is_lines(
    checkout: Path,
    play: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """What is told, what moves, and the report; on an environment of the demo's own."""
    monkeypatch.chdir(checkout)
    lines: list[str] = []
    monkeypatch.setattr(theatre, "_lines", lambda _scene: [lines.append("x") or "   product ..."])
    play["drawn"] = lambda: lines
    report = theatre.perform()
    talk = capsys.readouterr().err

    assert report == REPORT
    assert "1. The stack [bold]comes up\n" in talk
    assert "   product ...\n" in talk
    assert "requests lost" in talk
    context = play["context"]
    assert context.state == checkout / ".deployer" / "demo"  # type: ignore[attr-defined]
    context.say("building")  # type: ignore[attr-defined]
    assert capsys.readouterr().err == "   building\n"


def test_the_show_on_a_terminal_is_a_live_table(
    context, play: dict[str, object], monkeypatch: pytest.MonkeyPatch
):
    """Drawn beside the play; what is told stands above it, word for word."""
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=160)
    monkeypatch.setattr(theatre, "Console", lambda **_more: terminal)
    play["drawn"] = lambda: "1.1.0" in screen.getvalue()
    report = theatre._show(context)

    assert report == REPORT
    assert "The stack [bold]comes up" in screen.getvalue()
    assert "watching" in screen.getvalue()


def test_a_play_that_fails_ends_the_frames_too(monkeypatch: pytest.MonkeyPatch):
    """Its error is told by whoever called."""

    def work() -> Report:
        raise ValueError("it went wrong")

    frames: list[int] = []
    with pytest.raises(ValueError, match="it went wrong"):
        theatre._with_frames(work, lambda: frames.append(1), seconds=60.0)

    assert frames == []
