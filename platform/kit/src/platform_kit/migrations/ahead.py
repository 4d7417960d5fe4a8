"""A schema that a newer release brought further than an older one's history goes.

The older release has nothing to do there: what it needs was applied long ago, or it may not run at all. Which
of both it is, the table of applied revisions says, as it does for readiness.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from alembic.script import ScriptDirectory

from platform_kit.errors import RevertRefused, SchemaAhead
from platform_kit.migrations.declaration import Declaration, read_declaration
from platform_kit.migrations.location import migrations_directory
from platform_kit.schema import Applied, Needs, unserved
from platform_kit.versions import installed_version


@dataclass(frozen=True, slots=True)
class Ahead:
    """The heads of a database that a release does not know."""

    service: str
    version: str
    declared: Declaration
    heads: tuple[str, ...]

    def require_served(self, live: Collection[Applied], *, phase: str) -> None:
        """Return when the phase has nothing left to apply and the release runs here; else raise `SchemaAhead`."""
        reason = self._left(live, phase) or unserved(self._needs, live)
        if reason is not None:
            raise SchemaAhead(self.service, version=self.version, heads=self.heads, reason=reason)

    def refuse_revert(self) -> None:
        """Raise `RevertRefused`: the way back from a revision is in the release that brought it."""
        raise RevertRefused(
            f"{', '.join(self.heads)} is applied, which {self.service} {self.version} does not know",
            hint="revert with the newer release that brought it",
        )

    def _left(self, live: Collection[Applied], phase: str) -> str | None:
        there = {each.revision for each in live}
        for each in self.declared.revisions:
            if each.phase == phase and each.revision not in there:
                return f"{phase} {each.revision} would have to be applied beside it"
        return None

    @property
    def _needs(self) -> Needs:
        # Who declares no need is taken to need every expand revision that it carries.
        oldest = self.declared.needs or self.declared.head("expand") or ""
        return Needs(oldest, self.version, self.declared.known)


def ahead(service: str, heads: Sequence[str], script: ScriptDirectory) -> Ahead | None:
    """Return what of the database's heads the release does not know, None when it knows them all."""
    known = {each.revision for each in script.walk_revisions()}
    unknown = tuple(head for head in heads if head not in known)
    if not unknown:
        return None
    declared = read_declaration(migrations_directory(service))
    return Ahead(service, installed_version(service), declared, unknown)
