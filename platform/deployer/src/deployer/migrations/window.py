"""Which releases a change of the schema would leave without what they need: pure.

A contract says the oldest release that it leaves alive; a release that brings the contract itself was
written with it, whatever number it has. A release needs the expand revisions up to the one that it
declares, or all that it carries when it declares none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deployer.migrations.history import History, Revision
from deployer.model import Release
from deployer.releases import Version


@dataclass(frozen=True, slots=True)
class Holder:
    """A release that has to go on running: where it is, in words, and the history it carries."""

    place: str
    release: Release
    history: History


def stranded(contracts: tuple[Revision, ...], holders: tuple[Holder, ...]) -> Iterator[str]:
    """Yield a sentence for each release that still needs what a contract takes away."""
    for holder in holders:
        for contract in contracts:
            if _needs_what_goes(holder, contract):
                yield (
                    f"{holder.release.name}, {holder.place}, still needs what contract"
                    f" {contract.revision} takes away: {contract.summary}"
                )


def _needs_what_goes(holder: Holder, contract: Revision) -> bool:
    if contract.oldest_release is None or holder.history.get(contract.revision) is not None:
        return False
    return Version.parse(holder.release.version) < Version.parse(contract.oldest_release)


def missed(reverted: tuple[Revision, ...], holders: tuple[Holder, ...]) -> Iterator[str]:
    """Yield a sentence for each release that needs an expand revision which is to be taken back."""
    for holder in holders:
        needed = needed_by(holder.history)
        for revision in reverted:
            if revision.revision in needed:
                yield (
                    f"{holder.release.name}, {holder.place}, needs expand {revision.revision}:"
                    f" {revision.summary}"
                )


def needed_by(history: History) -> frozenset[str]:
    """Return the expand revisions that a release does not run without."""
    names = [each.revision for each in history.of("expand")]
    if history.needs in names:
        names = names[: names.index(history.needs) + 1]
    return frozenset(names)
