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
from deployer.migrations.recording import AtWork, Recorded, read_at_work, read_recording
from deployer.model import ServiceName

LIMIT_SECONDS = 120.0  # on tables without rows: a start of Python, and some milliseconds
# The kit's word for a statement that it cancelled: it had held its lock for longer than one may.
TOO_LONG = "StatementTooLong"
NOWHERE = "http://127.0.0.1:9"  # the discard port: a migration calls no other service


@dataclass(frozen=True, slots=True)
class Trial:
    """A release's runner and the database it is tried on."""

    service: ServiceName
    python: Path
    url: str
    scratch: Path

    def apply(self, phase: str) -> None:
        """Run a phase's revisions unseen: also by the runner of an earlier platform kit."""
        done = runner.run(
            (self.python, "-m", "platform_kit.migrations", self.service, "--phase", phase),
            environment=self._environment(),
            timeout_seconds=LIMIT_SECONDS,
        )
        if done.code != 0:
            raise self._failed(done)

    def upgrade(self, phase: str) -> tuple[Recorded, ...]:
        """Run a phase's revisions, and return what each was seen to do."""
        return self._recorded("--phase", phase)

    def revert(self, to: str) -> tuple[Recorded, ...]:
        """Take expand revisions back, and return what each downgrade was seen to do."""
        return self._recorded("--revert-to", to)

    def upgrade_within(
        self, phase: str, seconds: float
    ) -> tuple[tuple[Recorded, ...], AtWork | None]:
        """Run a phase's revisions; return what was seen, and the statement that was stopped, if any was.

        One is when it has held its lock for longer than the runner lets it, or when the time is over.
        """
        done, written = self._run("--phase", phase, limit_seconds=seconds)
        if done.code == 0:
            return read_recording(written), None
        at_work = read_at_work(written)
        late = done.code == runner.TIMED_OUT or _problem(done.tail).get("kind") == TOO_LONG
        if not late or at_work is None:
            raise self._failed(done)
        return read_recording(written), at_work

    def _recorded(self, *options: str) -> tuple[Recorded, ...]:
        done, written = self._run(*options, limit_seconds=LIMIT_SECONDS)
        if done.code != 0:
            raise self._failed(done)
        return read_recording(written)

    def _run(self, *options: str, limit_seconds: float) -> tuple[runner.Completed, str]:
        """Run the release's runner under the recorder; return how it ended, and what was written down."""
        file = self.scratch / f"{self.service}{''.join(options)}.jsonl"
        file.unlink(missing_ok=True)
        file.touch()
        done = runner.run(
            (self.python, recorder_path(), file, self.service, *options),
            environment=self._environment(),
            timeout_seconds=limit_seconds,
        )
        return done, file.read_text()

    def _failed(self, done: runner.Completed) -> OperationError:
        return OperationError(
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
    said = str(_problem(lines).get("error", "")).splitlines()
    return (said or lines[-1:] or ("without a word",))[0]


def _problem(lines: tuple[str, ...]) -> Mapping[str, object]:
    try:
        found = json.loads(lines[-1])
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


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
