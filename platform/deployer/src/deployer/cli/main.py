"""The entry point: the command groups, and how an error is told.

Data goes to stdout, talk to stderr. Exit 0 done, 1 failed, 2 misused, 130 stopped by Ctrl-C. A
traceback only with `--debug`.
"""

from __future__ import annotations

import os
import sys
import traceback as tracebacks

import click

from deployer.cli import environment, flags, migrations, simulate, traffic
from deployer.errors import DeployerError, OperationError

INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended
# Commands that leave something half done when they are stopped, and how to go on.
GOING_ON = {
    "up": "deployer up goes on where this one stopped",
    "demo": "deployer demo begins anew, and removes what is left of this one",
} | dict.fromkeys(
    ("rollout", "rollback", "resume", "abort", "watch", "flag"),
    "deployer status shows where it stands; deployer resume SERVICE goes on, "
    "deployer rollback SERVICE takes it back",
)


class Program(click.Group):
    """The commands, with one way to tell what went wrong in any of them."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; turn whatever it raises into a text and an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise  # click knows what to do with its own
        except KeyboardInterrupt:
            hint = GOING_ON.get(ctx.invoked_subcommand or "", "nothing was left half done")
            tell(OperationError("interrupted", "stopped by Ctrl-C", hint=hint))
            ctx.exit(INTERRUPTED)
        except DeployerError as error:
            _trace(ctx)
            tell(error)
            ctx.exit(error.exit_code)
        except Exception as error:  # noqa: BLE001  # the process's edge
            _trace(ctx)
            tell(_internal(error))
            ctx.exit(1)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="deployer")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def program(*, debug: bool) -> None:
    """Ship services independently: roll out, watch, roll back, and tell why."""
    del debug  # read where an error is told


for command in (
    *environment.COMMANDS,
    *traffic.COMMANDS,
    *migrations.COMMANDS,
    *flags.COMMANDS,
    *simulate.COMMANDS,
):
    program.add_command(command)


def main() -> None:
    """Run the command line and exit."""
    try:
        program()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            # The threads of a rollout would keep us until its end. The ledger knows where it stands.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(INTERRUPTED)
        raise


def tell(error: DeployerError) -> None:
    """Print an error: code and cause, the lines of a log, and what helps."""
    click.secho(f"error[{error.code}]", fg="red", bold=True, nl=False, err=True)
    click.echo(f": {error.cause}", err=True)
    for line in error.details:
        click.secho(f"  | {line}", dim=True, err=True)
    click.echo(err=True)
    click.secho("hint", fg="cyan", bold=True, nl=False, err=True)
    click.echo(f": {error.hint}", err=True)


def _internal(error: Exception) -> DeployerError:
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return OperationError(
        "internal",
        f"this should not have happened: {words}",
        hint="call it again as deployer --debug ... to see where, and report that",
    )


def _trace(ctx: click.Context) -> None:
    if ctx.params["debug"]:
        click.echo(tracebacks.format_exc(), err=True)
