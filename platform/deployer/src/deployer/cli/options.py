"""Options and arguments that several commands share, and how they open an environment."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import click

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from deployer.commands.context import Context

_TARGET = "deployer.target"
F = TypeVar("F", bound=Callable[..., object])


def with_environment(command: F) -> F:
    """Add `--env`."""
    environment = click.option(
        "--env",
        "environment",
        default="local",
        show_default=True,
        envvar="DEPLOYER_ENV",
        help="The environment: a file in environments/.",
    )
    target = click.option(
        "--target",
        type=click.Choice(["local"]),
        envvar="DEPLOYER_TARGET",
        expose_value=False,
        callback=_remember_target,
        help="Run the environment here instead of where its file says.",
    )
    return environment(target(command))


def with_json(command: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def with_dry_run(command: F) -> F:
    """Add `--dry-run`."""
    option = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
    return option(command)


def _remember_target(context: click.Context, _parameter: click.Parameter, value: str) -> None:
    context.meta[_TARGET] = value


def with_policy(command: F) -> F:
    """Add the options that go above the policy of service and environment, as `options`."""

    @click.option("--strategy", type=click.Choice(["canary", "blue-green", "rolling"]))
    @click.option("--weights", metavar="10,25,50,100", help="A canary's weights in percent.")
    @click.option("--gates", metavar="50", help="Weights that a person lets the rollout past.")
    @click.option("--hold", "hold_seconds", type=float, help="Seconds a step, at least.")
    @click.option("--instances", type=click.IntRange(min=1), help="Instances a slot.")
    @functools.wraps(command)
    def with_options(  # an argument an option
        *,
        strategy: str | None,
        weights: str | None,
        gates: str | None,
        hold_seconds: float | None,
        instances: int | None,
        **others: object,
    ) -> object:
        given = {
            "strategy": strategy,
            "weights": None if weights is None else parse_numbers(weights, "--weights"),
            "gates": None if gates is None else parse_numbers(gates, "--gates"),
            "hold_seconds": hold_seconds,
            "instances": instances,
        }
        options = {key: value for key, value in given.items() if value is not None}
        return command(options=options, **others)

    return with_options  # type: ignore[return-value]  # click calls it by its options' names


def parse_numbers(text: str, option: str) -> tuple[int, ...]:
    """Return the whole numbers that an option lists."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        message = f"{text!r} is no list of whole numbers, such as 10,25,50,100"
        raise click.BadParameter(message, param_hint=option) from error


def open_environment(name: str) -> Context:
    """Open an environment of the checkout around the current folder."""
    from deployer.commands.context import open_context  # noqa: PLC0415  # when it is called

    return open_context(Path.cwd(), name, target=chosen_target(), say=say)


def chosen_target() -> Literal["local"] | None:
    """Return what `--target` said, if anything."""
    chosen: Literal["local"] | None = click.get_current_context().meta.get(_TARGET)
    return chosen


def say(text: str) -> None:
    """Tell the user something that is no data."""
    click.echo(text, err=True)


def print_json(value: DataclassInstance | tuple[DataclassInstance, ...] | object) -> None:
    """Print data for a machine."""
    if isinstance(value, tuple):
        plain: object = [asdict(each) for each in value]
    elif is_dataclass(value) and not isinstance(value, type):
        plain = asdict(value)
    else:
        plain = value
    click.echo(json.dumps(plain, indent=2))
