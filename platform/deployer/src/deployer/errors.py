"""What can go wrong, sorted by what the caller does about it.

DeployerError            has a stable code, a cause and a hint; the command line prints it, exit 1
├── InputError           fix the input and call again (exit 2)
├── ConflictError        something else holds what is needed: wait, follow it, or take it over
└── OperationError       the outside world refused: read the cause, mend it, run the hint

A leaf is made where it is raised: `raise InputError("unknown-service", "...", hint="...")`. The code
is the leaf's name; `docs/reference/errors.md` has a section for each.
"""

from __future__ import annotations


class DeployerError(Exception):
    """The root: everything a user of the deployer can be told.

    `code` is stable and documented, `cause` a sentence with the values, `hint` a command or an
    edit that helps, `details` lines to show below (a log's tail, say).
    """

    exit_code = 1

    def __init__(self, code: str, cause: str, *, hint: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(cause)
        self.code = code
        self.cause = cause
        self.hint = hint
        self.details = details


class InputError(DeployerError):
    """What was asked for can't be done as written."""

    exit_code = 2


class ConflictError(DeployerError):
    """Another holder, another version or another program is in the way."""


class OperationError(DeployerError):
    """A build, a process, a database or the router did not do its part."""
