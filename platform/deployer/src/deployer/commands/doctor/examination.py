"""All the looks that one environment needs, in the order in which one would mend things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from deployer.commands.context import Context, open_context
from deployer.commands.doctor import cluster, machine
from deployer.commands.doctor.finding import Finding, looked, unwell
from deployer.commands.orders import unfinished
from deployer.errors import DeployerError
from deployer.model import ServiceName


def examine(
    environment: str,
    folder: Path | None = None,
    *,
    service: str | None = None,
    target: Literal["local"] | None = None,
) -> tuple[Finding, ...]:
    """Look at everything that an environment needs, or one service in it. Changes nothing."""
    findings = [machine.python(), *machine.git()]
    try:
        context = open_context(folder or Path.cwd(), environment, target=target)
        services = (
            context.workspace.services if service is None else (context.workspace.service(service),)
        )
    except DeployerError as error:
        return (*findings, unwell("environment", error))
    findings.append(Finding("environment", ok=True, text=f"environments/{environment}.toml reads"))
    findings.extend(machine.disk(context))
    if context.environment.target == "kubernetes":
        outside = tuple(cluster.examine(context.environment, services))
        findings.extend(outside)
        if not all(finding.ok for finding in outside):
            return tuple(findings)  # what runs there can't be told, or not reliably
    else:
        findings.extend((*machine.parts(), *machine.ports(context)))
    findings.extend(looked("services", lambda: _services(context, services)))
    findings.extend(looked("rollouts", lambda: _rollouts(context, services)))
    return tuple(findings)


def _services(context: Context, services: tuple[ServiceName, ...]) -> Iterator[Finding]:
    for service in services:
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


def _rollouts(context: Context, services: tuple[ServiceName, ...]) -> Iterator[Finding]:
    for service in context.installed:
        header = unfinished(context, service) if service in services else None
        if header is not None:
            yield Finding(
                f"rollout of {service}",
                ok=False,
                text=f"number {header.id} has not come to its end",
                hint=f"deployer status --watch while it runs; deployer resume {service} if it died",
            )
