"""Figures of a campaign, written where the documents read them: `docs/figures/<name>.json`.

A figure is worth as much as what is known of where it came from: the commit (and whether the
checkout had changes on top), the machine, the Python and the day stand beside it.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
FOLDER = REPOSITORY / "docs" / "figures"


def write(name: str, figures: Mapping[str, object], *, folder: Path = FOLDER) -> Path:
    """Write a campaign's figures under its name and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"measured": circumstances(), **figures}, indent=2) + "\n")
    return path


def circumstances() -> dict[str, object]:
    """Return what the figures were measured with."""
    return {
        "commit": commit(),
        "changed": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def commit() -> str:
    """Return the commit that is checked out."""
    return _git("rev-parse", "HEAD")


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ("git", *arguments), cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()
