"""The program: one JSON object to stdout, or one with "error" to stderr and exit 1."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from pydantic_settings import SettingsConfigDict

from platform_kit.migrations.environment import PHASES
from platform_kit.migrations.runner import upgrade
from platform_kit.settings import ServiceSettings, load_settings


def main(arguments: list[str] | None = None) -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="platform_kit.migrations", description=__doc__)
    parser.add_argument("service")
    parser.add_argument("--phase", choices=PHASES, required=True)
    asked = parser.parse_args(arguments)
    try:
        database = _database(asked.service)
        result = upgrade(asked.service, phase=asked.phase, database_url=database)
    except Exception as error:  # noqa: BLE001 - the process's edge: whoever started it reads JSON
        problem = {"service": asked.service, "phase": asked.phase, "error": str(error).strip()}
        sys.stderr.write(json.dumps(problem) + "\n")
        sys.exit(1)
    sys.stdout.write(json.dumps(asdict(result)) + "\n")


def _database(service: str) -> str | Path:
    class Settings(ServiceSettings):
        model_config = SettingsConfigDict(env_prefix=f"{service.upper()}_")

        router_url: str = ""  # no part of a migration

    return load_settings(Settings).database


if __name__ == "__main__":
    main()
