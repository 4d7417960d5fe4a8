"""The program: `python -m platform_kit.flags user` says what the service's flags are, as one JSON object.

The flags are `FLAGS` of the service's module `flags`. What is wrong with them, or with `--file FILE` instead of the
file that the service was shipped with, is in `findings`; the exit code is 0 all the same. Where there is nothing
to say, the last line of stderr is an object with "error", and the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from platform_kit.errors import FlagsUndeclared
from platform_kit.flags.declaration import Flag
from platform_kit.flags.findings import check
from platform_kit.flags.flagset import FlagSet
from platform_kit.flags.location import flags_file


def main(arguments: list[str] | None = None) -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="platform_kit.flags", description=__doc__)
    parser.add_argument("service")
    parser.add_argument("--file", type=Path, help="a file to check instead of the shipped one")
    asked = parser.parse_args(arguments)
    try:
        flags = _declared(asked.service)
    except FlagsUndeclared as error:
        sys.stderr.write(json.dumps({"service": asked.service, "error": str(error)}) + "\n")
        sys.exit(1)
    file = asked.file or flags_file(asked.service)
    found = check(flags, file, today=datetime.now(UTC).date())
    told = {
        "service": asked.service,
        "file": str(file),
        "flags": [_told(flag) for flag in flags],
        "findings": [asdict(finding) for finding in found],
    }
    sys.stdout.write(json.dumps(told) + "\n")


def _declared(service: str) -> FlagSet:
    name = f"{service}.flags"
    try:
        flags = getattr(import_module(name), "FLAGS", None)
    except ModuleNotFoundError as error:
        if error.name not in (service, name):
            raise  # the module is there, and imports something that is not
        raise FlagsUndeclared(service) from error
    if not isinstance(flags, FlagSet):
        raise FlagsUndeclared(service)
    return flags


def _told(flag: Flag[Any]) -> dict[str, object]:
    return {
        "key": flag.key,
        "type": flag.kind.value,
        "default": flag.default,
        "owner": flag.owner,
        "expires": flag.expires.isoformat(),
        "description": flag.description,
    }


if __name__ == "__main__":
    main()
