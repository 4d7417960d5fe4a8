"""What every command works with: the checkout, one environment, its target and its ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from deployer.cluster import Cluster
from deployer.driver import Clock, SystemClock
from deployer.environment import Environment, load_environment
from deployer.errors import InputError
from deployer.ledger import Ledger
from deployer.ledger.file import FileLedger
from deployer.model import Release, ServiceName
from deployer.targets import Builds, Place
from deployer.workspace import Workspace

if TYPE_CHECKING:
    from deployer.targets.local import LocalTarget

Say = Callable[[str], None]


def _silent(_text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Context:
    """One environment of one checkout. `state` is where everything of it lies on this machine."""

    workspace: Workspace
    environment: Environment
    state: Path
    say: Say = _silent
    clock: Clock = field(default_factory=SystemClock)

    @cached_property
    def ledger(self) -> Ledger:
        """The record of every rollout: in the cluster that they change, or in a file."""
        if self.environment.target == "kubernetes":
            from deployer.ledger.cluster import ClusterLedger  # noqa: PLC0415  # as below
            from deployer.targets.kubernetes.names import Names  # noqa: PLC0415

            return ClusterLedger(self.cluster, Names.of(self.environment).namespace)
        return FileLedger(self.state / "ledger.sqlite")

    @cached_property
    def target(self) -> Place:
        """Where the releases run."""
        if self.environment.target == "local":
            return self.local
        from deployer.targets.kubernetes import KubernetesTarget  # noqa: PLC0415  # late: its client

        return KubernetesTarget(
            self.cluster,
            self.environment,
            services=self.workspace.services,
            charts=self.workspace.root / "charts",
            hidden=lambda service: self.workspace.declaration(service).internal,
        )

    @cached_property
    def builds(self) -> Builds:
        """What makes the releases."""
        if self.environment.target == "local":
            return self.local.builds
        from deployer.targets.kubernetes import Images  # noqa: PLC0415  # late: its client

        return Images(self.cluster, self.environment, root=self.workspace.root)

    @cached_property
    def cluster(self) -> Cluster:
        """The cluster that the environment is in."""
        return Cluster.connect(self.environment.kubernetes.context)

    @cached_property
    def local(self) -> LocalTarget:
        """This machine as the target; raise InputError `not-local` where releases run elsewhere."""
        if self.environment.target != "local":
            raise InputError(
                "not-local",
                f"{self.environment.name} runs on {self.environment.target}, not on this machine",
                hint=f"rehearse it here: --env {self.environment.name} --target local",
            )
        from deployer.targets.local import Builds, LocalTarget  # noqa: PLC0415  # late: PostgreSQL, YAML

        return LocalTarget(
            self.state,
            self.environment,
            builds=Builds(self.workspace.root / ".deployer" / "releases"),
            internal=lambda service: self.workspace.declaration(service).internal,
        )

    def live(self, service: ServiceName) -> Release | None:
        """The release that serves, or None before the first deployment."""
        held = self.target.situation(service, ask=False).serving
        return held.release if held else None

    @property
    def installed(self) -> tuple[ServiceName, ...]:
        """The services that have ever been brought up here."""
        return self.target.installed()


def open_context(
    folder: Path,
    name: str,
    *,
    state: Path | None = None,
    target: Literal["local"] | None = None,
    say: Say = _silent,
) -> Context:
    """Open an environment of the checkout around a folder; `target` takes the place of its own.

    Raises InputError when there is no checkout, the environment's file is missing or broken, or it
    speaks of a service that there is not.
    """
    workspace = Workspace.around(folder)
    environment = load_environment(workspace.environments, name)
    for service in environment.services:
        workspace.service(service)
    if target is not None:
        environment = environment.model_copy(update={"target": target})
    return Context(workspace, environment, state or workspace.root / ".deployer" / name, say=say)


Configuration = Mapping[str, str]
