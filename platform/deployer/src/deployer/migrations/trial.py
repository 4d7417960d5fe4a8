"""Runs a release's migrations on a database of their own, up and down, with everything written down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deployer import runner
from deployer.errors import OperationError
from deployer.migrations import recorder_path
from deployer.migrations.history import Broken
from deployer.migrations.recording import Recorded, read_recording
from deployer.model import ServiceName

NOWHERE = "http://127.0.0.1:9"  # the discard port: a migration calls no other service


@dataclass(frozen=True, slots=True)
class Trial:
    """A release's runner and the database it is tried on."""

    service: ServiceName
    python: Path
    url: str
    scratch: Path

    def upgrade(self, phase: str) -> tuple[Recorded, ...]:
        """Run a phase's revisions, and return what each was seen to do."""
        return self._recorded("--phase", phase)

    def revert(self, to: str) -> tuple[Recorded, ...]:
        """Take expand revisions back, and return what each downgrade was seen to do."""
        return self._recorded("--revert-to", to)

    def _recorded(self, *options: str) -> tuple[Recorded, ...]:
        file = self.scratch / f"{self.service}{''.join(options)}.jsonl"
        file.unlink(missing_ok=True)
        file.touch()
        self._run((recorder_path(), file), *options)
        return read_recording(file.read_text())

    def _run(self, program: tuple[str | Path, ...], *options: str) -> None:
        done = runner.run(
            (self.python, *program, self.service, *options),
            environment=self._environment(),
            timeout_seconds=120,
        )
        if done.code != 0:
            raise OperationError(
                "revision-failed",
                f"the migrations of {self.service} do not run: {_told(done.tail)}",
                hint=f"mend migrations/{self.service}; the lines above say where it stopped",
                details=done.tail,
            )

    def _environment(self) -> Mapping[str, str]:
        prefix = self.service.upper()
        return {f"{prefix}_DATABASE_URL": self.url, f"{prefix}_ROUTER_URL": NOWHERE}


def _told(lines: tuple[str, ...]) -> str:
    """Return the runner's own words; it ends with a line of JSON."""
    try:
        return str(json.loads(lines[-1])["error"]).splitlines()[0]
    except (IndexError, ValueError, KeyError):
        return lines[-1] if lines else "without a word"


def broken_ways_back(up: tuple[Recorded, ...], down: tuple[Recorded, ...]) -> tuple[Broken, ...]:
    """Return the first expand revision whose downgrade leaves another schema than there was before.

    `down` is newest first. Those below it start from a schema that is wrong already.
    """
    shapes = {each.revision: each.shape or "" for each in up}
    order = [each.revision for each in up]
    for each in down:
        before = order[order.index(each.revision) - 1]
        if each.shape != shapes[before]:
            difference = _difference(shapes[before], each.shape or "")
            why = f"Taken back, it does not leave the schema of {before}: {difference}"
            instead = "downgrade() with undo_add_column, undo_dual_write, undo_rename_table, ..."
            return (Broken("downgrade-differs", each.revision, why, instead),)
    return ()


def _difference(wanted: str, found: str) -> str:
    missing = set(wanted.splitlines()) - set(found.splitlines())
    extra = set(found.splitlines()) - set(wanted.splitlines())
    words = [f"no {line.strip()}" for line in sorted(missing)]
    words += [f"left: {line.strip()}" for line in sorted(extra)]
    return "; ".join(words[:3])
