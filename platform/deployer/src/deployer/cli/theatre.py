"""Shows the demo: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from deployer.cli.options import say
from deployer.commands.context import Context, open_context
from deployer.commands.demo import Play, Report, Scene
from deployer.commands.demo.traffic import Answer, p95

FRAME_SECONDS = 0.5
LINE_SECONDS = 5.0
WINDOW_SECONDS = 5.0  # of answers in a row's p95: what a person sees as now


def perform() -> Report:
    """Play the demo, show it, and print how it ended."""
    folder = Path.cwd()
    context = open_context(folder, "local")
    root = context.workspace.root
    context = open_context(folder, "local", state=root / ".deployer" / "demo", say=_indented)
    report = _show(context)
    _print_report(report)
    return report


def _show(context: Context) -> Report:
    scene = Scene()
    console = Console(stderr=True)
    if not console.is_terminal:
        return _with_frames(
            lambda: Play(context, scene, tell=say).perform(),
            lambda: _say_lines(scene),
            seconds=LINE_SECONDS,
        )
    with Live(console=console, auto_refresh=False) as live:
        # Told as it is: a cause may hold what looks like a style in brackets.
        tell = partial(live.console.print, markup=False, highlight=False)
        return _with_frames(
            lambda: Play(context, scene, tell=tell).perform(),
            lambda: live.update(_table(scene), refresh=True),
            seconds=FRAME_SECONDS,
        )


def _with_frames(
    work: Callable[[], Report], draw: Callable[[], object], *, seconds: float
) -> Report:
    """Do the work, drawing a frame every so often beside it."""
    stopped = threading.Event()

    def frames() -> None:
        while not stopped.wait(seconds):
            draw()

    thread = threading.Thread(target=frames, daemon=True)
    thread.start()
    try:
        return work()
    finally:
        stopped.set()
        thread.join()


def _rows(scene: Scene) -> list[tuple[str, ...]]:
    answers = scene.answers
    now = time.time()
    rows: list[tuple[str, ...]] = []
    for service in scene.services:
        theirs = [answer for answer in answers if answer.service == service]
        recent = [answer for answer in theirs if answer.at > now - WINDOW_SECONDS]
        rows.append(
            (
                service,
                scene.live.get(service, "-"),
                *_moving(scene, service),
                *_sums(theirs, recent),
            )
        )
    return rows


def _moving(scene: Scene, service: str) -> tuple[str, str, str]:
    state = scene.rollout
    if state is None or state.order.service != service:
        return "-", "-", "-"
    verdict = state.verdict.reason if state.verdict else str(state.phase)
    return state.order.candidate.version, f"{state.weight} %", verdict


def _sums(theirs: list[Answer], recent: list[Answer]) -> tuple[str, str, str]:
    errors = sum(not answer.ok for answer in theirs)
    return str(len(theirs)), str(errors), f"{p95(recent) * 1000:.0f} ms"


def _table(scene: Scene) -> Table:
    table = Table(title=scene.title)
    for name in ("service", "live", "candidate", "weight", "requests", "errors", "p95", "verdict"):
        table.add_column(name, no_wrap=name != "verdict")
    for service, live, candidate, weight, verdict, *sums in _rows(scene):
        table.add_row(service, live, candidate, weight, *sums, verdict)
    return table


def _lines(scene: Scene) -> list[str]:
    return [
        f"   {service} {live}: {requests} requests, {errors} errors, p95 {late};"
        f" {candidate} at {weight}: {verdict}"
        for service, live, candidate, weight, verdict, requests, errors, late in _rows(scene)
        if candidate != "-"
    ]


def _say_lines(scene: Scene) -> None:
    for line in _lines(scene):
        say(line)


def _indented(text: str) -> None:
    say(f"   {text}")


def _print_report(report: Report) -> None:
    bad = report.bad_release
    say("")
    for version, count in report.served.items():
        say(f"   {version:24} {count:6} answers")
    lost = report.promotion.failed + bad.failed_besides
    say(
        f"   requests lost            {lost:6}   (and {bad.injected_errors} errors of the bad release)"
    )
    say(f"   time to detect           {bad.fault_to_verdict_seconds:6.1f} s")
    say(f"   time to roll back        {bad.verdict_to_traffic_back_seconds:6.1f} s")
    say(f"   memory, all in all       {report.pss_mb:6.0f} MB")
    calm = [service for service, same in report.untouched.items() if same]
    say(f"   never touched            {', '.join(calm)}")
    say(f"   the whole story          {report.story_seconds:6.1f} s   (.deployer/demo.json)")
