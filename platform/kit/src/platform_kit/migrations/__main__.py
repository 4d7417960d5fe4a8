"""The program: one JSON object to stdout; one with "error" as stderr's last line and exit 1 where that fails."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from pydantic_settings import SettingsConfigDict

from platform_kit.errors import LockUnavailable
from platform_kit.migrations.declaration import PHASES, read_declaration
from platform_kit.migrations.limits import PATIENCE_SECONDS
from platform_kit.migrations.location import migrations_directory
from platform_kit.settings import ServiceSettings, load_settings


def main(arguments: list[str] | None = None) -> None:
    """Run the program."""
    asked = _parser().parse_args(arguments)
    try:
        result = _do(asked)
    except Exception as error:  # noqa: BLE001 - the process's edge: whoever started it reads JSON
        problem = {"service": asked.service, "phase": asked.phase, "error": str(error).strip()}
        problem["kind"] = type(error).__name__
        if isinstance(error, LockUnavailable):
            problem["blockers"] = [asdict(blocker) for blocker in error.blockers]
        sys.stderr.write(json.dumps(problem) + "\n")
        sys.exit(1)
    sys.stdout.write(json.dumps(result) + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="platform_kit.migrations", description=__doc__)
    parser.add_argument("service")
    parser.add_argument("--phase", choices=PHASES, default="expand")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--revert-to", metavar="REV", help="take back the expand revisions after REV")
    what.add_argument("--dry-run", action="store_true", help="say what would be applied")
    what.add_argument("--sql", action="store_true", help="the same, with the statements")
    what.add_argument("--describe", action="store_true", help="what the history declares")
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE_SECONDS,
        metavar="SECONDS",
        help="how long to try for a lock (%(default)s)",
    )
    return parser


def _do(asked: argparse.Namespace) -> dict[str, object]:
    if asked.describe:
        return _described(asked.service)
    # Not before it is needed: Alembic takes a third of a second.
    from platform_kit.migrations.runner import plan, revert, upgrade  # noqa: PLC0415

    service, url = asked.service, _database(asked.service)
    if asked.dry_run or asked.sql:
        return asdict(plan(service, phase=asked.phase, database_url=url, with_sql=asked.sql))
    if asked.revert_to is not None:
        return asdict(
            revert(service, to=asked.revert_to, database_url=url, patience_seconds=asked.patience)
        )
    return asdict(
        upgrade(service, phase=asked.phase, database_url=url, patience_seconds=asked.patience)
    )


def _described(service: str) -> dict[str, object]:
    declared = read_declaration(migrations_directory(service))
    heads = {phase: declared.head(phase) for phase in PHASES}
    return {"service": service, "heads": heads, **asdict(declared)}


def _database(service: str) -> str | Path:
    class Settings(ServiceSettings):
        model_config = SettingsConfigDict(env_prefix=f"{service.upper()}_")

        router_url: str = ""  # no part of a migration

    return load_settings(Settings).database


if __name__ == "__main__":
    main()
