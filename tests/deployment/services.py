"""The services of this checkout, and what each says of itself."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SERVICES = tuple(sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml")))


def project(service: str) -> dict[str, Any]:
    """Return what is in the service's pyproject.toml."""
    return tomllib.loads((ROOT / "services" / service / "pyproject.toml").read_text())


def chart_file(chart: str, name: str) -> dict[str, Any]:
    """Return a YAML file of a chart."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "charts" / chart / name).read_text())
    return read
