"""`migrations apply` and `revert`: a phase of its own, refused while somebody needs what goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from deployer.commands.context import Context
from deployer.commands.orders import not_installed
from deployer.commands.release import Wanted, build_release
from deployer.errors import ConflictError, InputError
from deployer.migrations.declared import read_folder
from deployer.migrations.history import History, Revision
from deployer.migrations.window import Holder, missed, stranded
from deployer.model import Release
from deployer.targets import Situation


def apply(context: Context, wanted: Wanted, *, phase: str) -> tuple[str, ...]:
    """Apply a phase's revisions of a release, and return those that were.

    Without a version: expand is the tree's, contract the live release's. Raises ConflictError
    `contract-too-early` before anything is changed.
    """
    release = _release(context, wanted, phase=phase)
    require_nobody_stranded(context, release, phase=phase)
    return context.target.migrate(release, phase=phase)


def plan_apply(context: Context, wanted: Wanted, *, phase: str) -> tuple[Revision, ...]:
    """Return the revisions of the phase that the release carries, having refused what `apply` would."""
    release = _release(context, wanted, phase=phase)
    require_nobody_stranded(context, release, phase=phase)
    return history_of(context, release).of(phase)


def require_nobody_stranded(context: Context, release: Release, *, phase: str) -> None:
    """Refuse a contract while a release that has to go on running needs what it takes away."""
    if phase != "contract":
        return
    contracts = history_of(context, release).of("contract")
    needing = tuple(stranded(contracts, tuple(holders(context, release))))
    if needing:
        raise ConflictError(
            "contract-too-early",
            needing[0],
            hint=f"wait until its standby is over: deployer status; then deployer watch --once,"
            f" and deployer migrations apply {release.service} --phase contract",
            details=needing[1:],
        )


def revert(context: Context, wanted: Wanted, *, to: str) -> tuple[str, ...]:
    """Take back the expand revisions after `to`, newest first, and return those that were.

    The release (the tree's, without a version) is the one whose downgrades run. Raises ConflictError
    `revision-needed` before anything is changed, InputError `unknown-revision`.
    """
    release = build_release(context, wanted)
    require_nobody_misses(context, release, to=to)
    return context.target.revert(release, to=to)


def require_nobody_misses(context: Context, release: Release, *, to: str) -> tuple[Revision, ...]:
    """Refuse to take back what a slot needs; return the revisions that would go, newest first."""
    expand = history_of(context, release).of("expand")
    names = [each.revision for each in expand]
    if to not in names:
        raise InputError(
            "unknown-revision",
            f"{release.name} has no expand revision {to!r}",
            hint=f"one of these: {', '.join(names)}",
        )
    going = expand[names.index(to) + 1 :]
    needing = tuple(missed(going, tuple(holders(context, release))))
    if needing:
        raise ConflictError(
            "revision-needed",
            needing[0],
            hint=f"first roll back to a release that runs without: deployer rollback {release.service}",
            details=needing[1:],
        )
    return going[::-1]


def holders(context: Context, release: Release) -> Iterator[Holder]:
    """Yield the releases that have to go on running: live, on its way, and the warm way back.

    A slot that was scaled to nothing after its standby holds up nobody.
    """
    found = context.target.situation(release.service, ask=False)
    for status in found.slots:
        if status.wanted > 0:
            place = _place(found, live=status.slot is found.live)
            yield Holder(place, status.release, history_of(context, status.release))


def _place(found: Situation, *, live: bool) -> str:
    if live:
        return "live"
    return "in standby" if found.standby_until is not None else "on its way"


def history_of(context: Context, release: Release) -> History:
    """Return the history that a release carries: of its commit, or of the tree it was built from."""
    workspace = context.workspace
    if release.commit is None:
        return read_folder(workspace.root / "migrations" / release.service)
    with TemporaryDirectory(prefix="history-") as folder:
        workspace.stage_migrations(release.service, release.commit, into=Path(folder))
        return read_folder(Path(folder) / "migrations" / release.service)


def _release(context: Context, wanted: Wanted, *, phase: str) -> Release:
    if wanted.version is None and phase == "contract":
        live = context.live(wanted.service)
        if live is None:
            raise not_installed(wanted.service)
        return live
    return build_release(context, wanted)
