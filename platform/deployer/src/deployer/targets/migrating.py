"""How a release's runner says that it failed, as the error that a user is told."""

from __future__ import annotations

import json

from deployer.errors import OperationError
from deployer.model import Release

# The kit's word for a schema that a newer release brought further than this one can go.
AHEAD = "SchemaAhead"
# A kit from before there was that word hands on Alembic's.
UNKNOWN_REVISION = "Can't locate revision"


def migration_failure(release: Release, what: str, lines: tuple[str, ...]) -> OperationError:
    """Return the error for a run that ended with these lines; the last is the kit's JSON, if it got so far."""
    problem = _problem(lines)
    error = str(problem.get("error", "")).partition("\n")[0]
    if problem.get("kind") == AHEAD or UNKNOWN_REVISION in error:
        return OperationError(
            "schema-ahead",
            f"{what} of {release.name} can't run on a newer release's schema:"
            f" {error}; the live release is untouched",
            hint=f"deployer rollback {release.service} --to VERSION goes back and migrates nothing",
            details=lines,
        )
    return OperationError(
        "migration-failed",
        f"{what} of {release.name} failed; the live release is untouched",
        hint=f"mend migrations/{release.service} and call again",
        details=lines,
    )


def _problem(lines: tuple[str, ...]) -> dict[str, object]:
    try:
        found = json.loads(lines[-1])
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
