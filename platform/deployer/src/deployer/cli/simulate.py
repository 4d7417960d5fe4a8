"""`simulate`: a policy against simulated traffic, on a virtual clock."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from deployer.cli.options import open_environment, print_json, with_json, with_policy

if TYPE_CHECKING:
    from deployer.commands.simulate import Simulation, Spread

_SHARE = click.FloatRange(0.0, 1.0)


@click.command()
@click.option("--policy", "policy", required=True, metavar="ENV", help="Whose policy to try.")
@click.option("--error-rate", type=_SHARE, required=True, help="Share of failing requests.")
@click.option("--slow-rate", type=_SHARE, help="Share of requests that take longer than 1 s.")
@click.option(
    "--rps",
    type=click.FloatRange(min=0.0, min_open=True),
    required=True,
    help="Requests a second that the service gets.",
)
@click.option(
    "--fault-after",
    metavar="SECONDS",
    type=click.FloatRange(min=0.0),
    default=0.0,
    show_default=True,
    help="When the fault begins, from the rollout's beginning.",
)
@click.option(
    "--runs",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="How many rollouts with the fault, and as many without.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@with_policy
@with_json
def simulate(  # noqa: PLR0913  # an argument an option
    *,
    policy: str,
    options: dict[str, object],
    error_rate: float,
    slow_rate: float | None,
    rps: float,
    fault_after: float,
    runs: int,
    seed: int,
    as_json: bool,
) -> None:
    """Try a policy on simulated traffic: how soon a fault is found, and what it costs."""
    from deployer.commands.simulate import Question, answer  # noqa: PLC0415

    question = Question(error_rate, rps, slow_rate, fault_after, runs, seed)
    context = open_environment(policy)
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=2 * runs, file=sys.stderr, hidden=hidden) as bar:
        result = answer(context, question, options=options, progress=lambda: bar.update(1))
    if as_json:
        print_json(result)
    else:
        _print(result)


def _print(result: Simulation) -> None:
    slow = "" if result.slow_rate is None else f", {result.slow_rate:.1%} slow"
    click.echo(
        f"policy {result.policy}: {result.error_rate:.1%} errors{slow} after"
        f" {result.fault_after_seconds:g} s, at {result.requests_per_second:g} requests/s,"
        f" {result.runs} rollouts"
    )
    for word, share in result.outcomes.items():
        click.echo(f"  {word:<22} {share:7.1%}")
    for rule, share in result.rules.items():
        click.echo(f"    by {rule:<19} {share:7.1%}")
    click.echo(f"  {'false rollbacks':<22} {result.false_rollback_share:7.1%}  without the fault")
    click.echo(f"  {'':<22} {'p50':>8} {'p90':>8} {'max':>8}")
    rows = (
        ("seconds to detect", result.detect_seconds),
        ("seconds to all back", result.back_seconds),
        ("requests to detect", result.detect_requests),
        ("requests exposed", result.exposed_requests),
        ("requests failed", result.failed_requests),
    )
    for words, spread in rows:
        click.echo(f"  {words:<22} {_columns(spread)}")


def _columns(spread: Spread | None) -> str:
    if spread is None:
        return "never"
    return " ".join(f"{value:>8,.6g}" for value in (spread.p50, spread.p90, spread.max))


COMMANDS = (simulate,)
