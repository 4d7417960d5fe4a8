"""`migrations check`: the gate on a service's revisions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployer.commands.context import Context
from deployer.commands.release import Wanted, build_release
from deployer.migrations.gate import Gate, Report
from deployer.migrations.suites import Suite, suite
from deployer.model import ServiceName
from deployer.releases import Recorded
from deployer.targets.local.builds import Builds, scratch_tree
from deployer.targets.local.postgres import Postgres


def check(context: Context, service: ServiceName, *, tests: bool = True) -> Report:
    """Try a service's revisions on PostgreSQL, and the tests of two releases on their schema.

    `tests=False` leaves the tests out: for a look while a revision is being written. Raises the
    errors of a build, and OperationError `revision-failed` when a revision does not run.
    """
    workspace = context.workspace
    builds = context.local.builds
    release = build_release(context, Wanted(service))
    folder = workspace.root / ".deployer" / "gate"
    folder.mkdir(parents=True, exist_ok=True)
    newer = suite(builds, release, workspace.root, folder) if tests else None
    postgres = Postgres(folder)
    postgres.up((service,))
    try:
        with _older(context, service, builds, folder, wanted=tests) as older:
            history = workspace.root / "migrations" / service
            gate = Gate(service, history, builds.python(release), postgres, older, newer)
            context.say(f"trying the revisions of {release.name}")
            return gate.check()
    finally:
        postgres.down()


@contextmanager
def _older(
    context: Context, service: ServiceName, builds: Builds, folder: Path, *, wanted: bool
) -> Iterator[Suite | None]:
    """Give the last release's suite, in a tree of its own; None where nothing was released."""
    last = last_release(context, service)
    if last is None or not wanted:
        yield None
        return
    release = build_release(context, Wanted(service, last.version))
    with scratch_tree() as tree:
        context.workspace.stage_everything(last.commit, into=tree)
        yield suite(builds, release, tree, folder)


def last_release(context: Context, service: ServiceName) -> Recorded | None:
    """Return the newest recorded release that is not what the tree itself is."""
    declared = context.workspace.declaration(service).version
    head = context.workspace.head()
    older = [
        each
        for each in context.workspace.released(service)
        if each.version < declared or (each.version == declared and each.commit != head)
    ]
    return older[-1] if older else None
