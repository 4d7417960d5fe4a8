"""The gate: are a service's revisions such that the release before and this one run on them, both at once?

Five questions, each answered by doing it: does the history keep to its two branches; what do its
revisions lock and rewrite on PostgreSQL; does the way back lead back; do the tests of the last
release pass on this schema, and this one's on what expand leaves; can both write to it at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from deployer.migrations import squawk
from deployer.migrations.declared import read_folder
from deployer.migrations.history import Broken, History, broken_history, broken_source
from deployer.migrations.parse import parse
from deployer.migrations.recording import Recorded, broken_revision
from deployer.migrations.rules import BY_NAME, Harm
from deployer.migrations.schema import Schema
from deployer.migrations.suites import Suite, Tested
from deployer.migrations.together import write_together
from deployer.migrations.trial import Trial, broken_ways_back
from deployer.model import ServiceName
from deployer.targets.local.postgres import Postgres
from deployer.threads import gather


@dataclass(frozen=True, slots=True)
class Seen:
    """What a revision was seen to do: its locks a table, and the tables that it rewrote."""

    revision: str
    phase: str
    summary: str
    locks: dict[str, str]
    rewritten: tuple[str, ...]
    statements: int


@dataclass(frozen=True, slots=True)
class Report:
    """What the gate found. `older` is the release before, None where none was released.

    `advice` holds up nothing: what costs something one day, and harms nobody now.
    """

    service: str
    older: str | None
    revisions: tuple[Seen, ...]
    broken: tuple[Broken, ...]
    advice: tuple[Broken, ...]
    tested: tuple[Tested, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the revisions may go out."""
        return not self.broken and all(each.passed for each in self.tested)


@dataclass(slots=True)
class Gate:
    """One service's revisions, with what they are tried on."""

    service: ServiceName
    folder: Path
    python: Path
    postgres: Postgres
    older: Suite | None
    newer: Suite | None
    broken: list[Broken] = field(default_factory=list)
    advice: list[Broken] = field(default_factory=list)

    def check(self) -> Report:
        """Answer all questions; a history that is broken by itself is not run."""
        began = time.monotonic()
        stop = Event()
        with TemporaryDirectory(prefix="gate-") as folder, ThreadPoolExecutor() as pool:
            scratch = Path(folder)
            trial = Trial(self.service, self.python, self._fresh(), scratch)
            history = read_folder(self.folder)
            self._read(history)
            if self.broken:
                return self._report((), (), began)
            try:
                # Beside the trial: each suite has a database server of its own.
                running = [pool.submit(run, scratch) for run in self._suites(stop.is_set)]
                seen = self._run(trial, history)
                together = self._write_together(trial) if not self.broken else ()
                tested = (*gather(running), *together)
            finally:
                stop.set()  # on Ctrl-C too: no suite runs on without its folder
            return self._report(seen, tested, began)

    def _report(self, seen: tuple[Seen, ...], tested: tuple[Tested, ...], began: float) -> Report:
        older = self.older.release.name if self.older else None
        seconds = round(time.monotonic() - began, 1)
        broken, advice = tuple(self.broken), tuple(self.advice)
        return Report(self.service, older, seen, broken, advice, tested, seconds)

    def _fresh(self) -> str:
        self.postgres.renew(self.service)
        return self.postgres.url(self.service)

    def _read(self, history: History) -> None:
        self.broken += broken_history(history)
        for file in sorted((self.folder / "versions").glob("*.py")):
            self.broken += broken_source(file.stem, file.read_text(), self.service)

    def _run(self, trial: Trial, history: History) -> tuple[Seen, ...]:
        expanded = trial.upgrade("expand")
        contracted = trial.upgrade("contract") if history.of("contract") else ()
        self._judge((*expanded, *contracted), history)
        if not self.broken:
            self._go_back(trial, history)
        return tuple(_seen(each, history) for each in (*expanded, *contracted))

    def _judge(self, recorded: tuple[Recorded, ...], history: History) -> None:
        schema = Schema()
        for each in recorded:
            found = history.get(each.revision)
            phase = found.phase if found else "expand"
            for said in broken_revision(each, phase, schema, parse=parse, find=squawk.findings):
                (self.advice if _is_advice(said) else self.broken).append(said)

    def _go_back(self, trial: Trial, history: History) -> None:
        """Take all expand revisions but the first back, on a database without contract, and up again."""
        expand = history.of("expand")
        if len(expand) < 2:
            return
        self._fresh()
        up = trial.upgrade("expand")
        down = trial.revert(expand[0].revision)
        self.broken += broken_ways_back(up, down)
        again = () if self.broken else trial.upgrade("expand")
        if again and again[-1].shape != up[-1].shape:
            self.broken.append(
                Broken(
                    "upgrade-differs",
                    again[-1].revision,
                    "Applied again after the way back, it leaves another schema.",
                    "downgrade() takes back all that upgrade() did",
                )
            )

    def _write_together(self, trial: Trial) -> tuple[Tested, ...]:
        """Have both releases write to what expand leaves."""
        if self.older is None or self.newer is None:
            return ()
        self._fresh()
        trial.upgrade("expand")
        return (write_together(self.older, self.newer, trial.url),)

    def _suites(self, interrupted: Callable[[], bool]) -> Iterator[Callable[[Path], Tested]]:
        """Yield what runs each release's tests: the older one's on the schema of the newer."""
        older, newer = self.older, self.newer
        if older is not None:
            name = f"{self.service} now"
            yield lambda scratch: older.run(
                name, scratch, newer=self.python, interrupted=interrupted
            )
        if newer is not None:
            yield lambda scratch: newer.run("expand", scratch, interrupted=interrupted)


def _is_advice(said: Broken) -> bool:
    rule = BY_NAME.get(said.rule)
    return rule is not None and rule.harm is Harm.LATER


def _seen(recorded: Recorded, history: History) -> Seen:
    found = history.get(recorded.revision)
    return Seen(
        revision=recorded.revision,
        phase=found.phase if found else "",
        summary=found.summary if found else "",
        locks={table: str(lock) for table, lock in sorted(recorded.locks.items())},
        rewritten=recorded.rewritten,
        statements=len(recorded.executed),
    )
