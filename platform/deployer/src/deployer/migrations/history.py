"""What a history of revisions must be for old and new code to live on it: pure.

Two branches, `expand` and `contract`, each one line of revisions; a contract depends on the expand
that it completes and says which release is the oldest that it leaves alive; no expand waits for a
contract.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from deployer.model import ServiceName
from deployer.releases import Version

PHASES = ("expand", "contract")


@dataclass(frozen=True, slots=True)
class Revision:
    """A revision as its file declares it; `oldest_release` is None on the expand branch."""

    revision: str
    phase: str
    down: tuple[str, ...]
    depends_on: tuple[str, ...]
    oldest_release: str | None
    summary: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """The revisions in an order they can be applied in, and the oldest that the code runs on."""

    needs: str | None
    revisions: tuple[Revision, ...]

    def of(self, phase: str) -> tuple[Revision, ...]:
        """Return the revisions of a phase."""
        return tuple(each for each in self.revisions if each.phase == phase)

    def get(self, revision: str) -> Revision | None:
        """Return a revision by its name."""
        return next((each for each in self.revisions if each.revision == revision), None)


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule of the gate that is broken: by which revision, why, and what helps."""

    rule: str
    revision: str
    why: str
    instead: str
    statement: str | None = None


def broken_history(history: History) -> Iterator[Broken]:
    """Yield the rules of the two branches that a history breaks."""
    for phase in PHASES:
        yield from _several_heads(history.of(phase), phase)
    for revision in history.of("expand"):
        yield from _waiting(revision, history)
    for revision in history.of("contract"):
        yield from _alone(revision, history)
    if history.needs is not None and history.get(history.needs) is None:
        yield Broken(
            "needs-unknown",
            history.needs,
            "schema.toml declares that the code needs a revision that there is not.",
            "needs = the oldest expand revision that the code runs on",
        )


def _several_heads(revisions: tuple[Revision, ...], phase: str) -> Iterator[Broken]:
    followed = {down for each in revisions for down in each.down}
    heads = [each.revision for each in revisions if each.revision not in followed]
    for head in heads[1:]:
        yield Broken(
            "several-heads",
            head,
            f"The {phase} branch has several heads: {', '.join(heads)}.",
            f'down_revision = "{heads[0]}", or another order: one line of revisions a branch',
        )


def _waiting(revision: Revision, history: History) -> Iterator[Broken]:
    for before in (*revision.down, *revision.depends_on):
        found = history.get(before)
        if found is not None and found.phase == "contract":
            yield Broken(
                "expand-waits",
                revision.revision,
                f"The expand waits for contract {before}, which may stay open for long.",
                "depend on expand revisions only; what needs the contract is a contract itself",
            )


def _alone(revision: Revision, history: History) -> Iterator[Broken]:
    depends = [history.get(name) for name in revision.depends_on]
    if not any(found is not None and found.phase == "expand" for found in depends):
        yield Broken(
            "contract-alone",
            revision.revision,
            "The contract does not say which expand it completes.",
            'depends_on = "the expand revision whose old side it takes away"',
        )
    if revision.oldest_release is None:
        yield Broken(
            "contract-without-window",
            revision.revision,
            "The contract does not say which releases it strands.",
            'oldest_release = "the first version that does not need what goes away"',
        )


def strands(revision: Revision, release: Version) -> bool:
    """Whether a contract takes away what a release needs."""
    return revision.oldest_release is not None and release < Version.parse(revision.oldest_release)


def broken_source(revision: str, text: str, service: ServiceName) -> Iterator[Broken]:
    """Yield what is wrong with a revision's file whatever its SQL is."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        if any(name.split(".")[0] == service for name in names):
            yield Broken(
                "live-models",
                revision,
                f"The revision imports {service}: when its tables change, the revision does too.",
                "write down the tables as they are now: sa.table(...), sa.column(...)",
            )
            return
