"""Write a service's OpenAPI documents: `python -m platform_kit.api user` fills services/user/openapi.

They are checked in, so that a change of the interface is seen in review; a test of the service says when they are old.
"""

from __future__ import annotations

import argparse
import json
import os
from importlib import import_module
from pathlib import Path

from flask import Flask

from platform_kit.api.document import document
from platform_kit.api.mount import api_of

# An app opens no connection before it serves; it wants to be told where it would.
NOWHERE = {"DATABASE_URL": "postgresql://127.0.0.1:9/nowhere", "ROUTER_URL": "http://127.0.0.1:9"}


def texts(app: Flask) -> dict[str, str]:
    """Return the documents of a service's app by their files' names."""
    api = api_of(app)
    return {
        f"{version.name}.json": json.dumps(document(app.name, api, version), indent=2) + "\n"
        for version in api.versions
    }


def main(arguments: list[str] | None = None) -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="platform_kit.api", description=__doc__)
    parser.add_argument("service", help="the service's name, as of its package")
    parser.add_argument("--into", type=Path, help="default: services/<service>/openapi")
    chosen = parser.parse_args(arguments)
    folder = chosen.into or Path("services", chosen.service, "openapi")
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in NOWHERE.items():
        os.environ.setdefault(f"{chosen.service.upper()}_{name}", value)
    for name, text in texts(import_module(f"{chosen.service}.app").create()).items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
