"""Options and arguments that several commands share, and how they open an environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from deployer.commands.context import Context

F = TypeVar("F", bound=Callable[..., object])


def with_environment(command: F) -> F:
    """Add `--env`."""
    option = click.option(
        "--env",
        "environment",
        default="local",
        show_default=True,
        envvar="DEPLOYER_ENV",
        help="The environment: a file in environments/.",
    )
    return option(command)


def with_json(command: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def with_dry_run(command: F) -> F:
    """Add `--dry-run`."""
    option = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
    return option(command)


def open_environment(name: str) -> Context:
    """Open an environment of the checkout around the current folder."""
    from deployer.commands.context import open_context  # noqa: PLC0415  # when it is called

    return open_context(Path.cwd(), name, say=say)


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
