"""What one run of the runner knows while revisions are at work: shared with `env.py` and the helpers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from alembic.config import Config
from alembic.runtime.migration import MigrationStep
from alembic.script import Script

from platform_kit.errors import MigrationError, WindowUndeclared
from platform_kit.migrations.declaration import PHASES
from platform_kit.migrations.guard import Guard


@dataclass(frozen=True, slots=True)
class Step:
    """A revision that is at work, up or down."""

    revision: str
    phase: str
    upgrading: bool
    oldest_release: str | None


@dataclass(slots=True)
class Run:
    """A run: its guard, the step it is at, and the statements that were written down if it is `dry`."""

    guard: Guard
    dry: bool = False
    step: Step | None = None
    sql: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config | None) -> Run:
        """Return the run that a configuration belongs to; raise `MigrationError` for Alembic's own."""
        run = config.attributes.get("run") if config is not None else None
        if run is None:
            raise MigrationError(
                "revisions are run by the platform kit, not by Alembic's own program\n"
                "hint: python -m platform_kit.migrations NAME --phase expand"
            )
        return cast("Run", run)

    def at(self, step: Step) -> None:
        """Go on to the next step."""
        self.step = step
        self.guard.plain_changes = 0


def step_of(script: Script, *, upgrading: bool) -> Step:
    """Return what a revision's script says; raise when a contract does not declare its window."""
    phase = phase_of(script)
    oldest = getattr(script.module, "oldest_release", None)
    if phase == "contract" and upgrading and oldest is None:
        raise WindowUndeclared(script.revision)
    return Step(script.revision, phase, upgrading, oldest)


def phase_of(script: Script) -> str:
    """Return the phase of a revision: the label of its branch."""
    for phase in PHASES:
        if phase in script.branch_labels:
            return phase
    raise MigrationError(f"revision {script.revision} is on neither branch: expand, contract")


Steps = list[MigrationStep]
