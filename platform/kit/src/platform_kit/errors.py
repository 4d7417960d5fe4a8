# ruff: noqa: N818 - a name says what happened, not that it is an error
"""Everything the kit raises for its callers, sorted by what they can do about it.

KitError
├── SettingsError          correct the environment, start again
│   ├── MissingSetting
│   └── InvalidSetting
├── StartRefused           correct the command or free the port, start again
│   ├── ServiceUnknown
│   └── PortTaken
├── Unreachable            try again later; unhandled it is a 503 with Retry-After
│   ├── NotCalled          nothing was sent: the circuit is open, or too many wait already
│   ├── ServiceUnreachable
│   └── DatabaseUnreachable
├── FlagsError             correct the flags' file: what it said before stays in force
│   ├── FlagsUnreadable
│   └── FlagInvalid
├── FlagsUndeclared        the service has no flags
└── MigrationError         correct the migrations
    ├── MigrationsMissing
    ├── PhaseUnknown
    ├── WrongPhase         a helper in a revision of the other phase
    ├── UnsafeChange       a helper that cannot do this without breaking what runs
    ├── LockUnavailable    try again when those it names have ended
    ├── StatementTooLong
    ├── BackfillIncomplete
    ├── WindowUndeclared
    ├── RevertRefused
    └── SchemaAhead        a newer release's schema, which this release can't work on

What a client of a service gets to see is a `Problem`, in `problems.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class KitError(Exception):
    """Anything the kit refuses or cannot do."""


class SettingsError(KitError):
    """The environment variables do not make sense: nothing was started."""


class MissingSetting(SettingsError):
    """A variable without a default is not set."""

    def __init__(self, variable: str, *, example: str) -> None:
        super().__init__(f"{variable} is not set\nhint: export {variable}={example}")
        self.variable = variable
        self.example = example


class InvalidSetting(SettingsError):
    """A variable has a value that cannot be used. The value is not shown: it may hold a password."""

    def __init__(self, variable: str, *, reason: str, hint: str) -> None:
        super().__init__(f"{variable} is not valid: {reason}\nhint: {hint}")
        self.variable = variable
        self.reason = reason


class StartRefused(KitError):
    """The instance cannot start as it was asked to."""


class ServiceUnknown(StartRefused):
    """There is no installed package of that name with an `app` module."""

    def __init__(self, service: str) -> None:
        super().__init__(
            f"no service {service!r} is installed here (looked for {service}/app.py)\n"
            f"hint: pip install ./services/{service}"
        )
        self.service = service


class PortTaken(StartRefused):
    """Somebody else listens on the port."""

    def __init__(self, variable: str, *, host: str, port: int) -> None:
        super().__init__(
            f"{variable}: {host}:{port} is taken by another process\n"
            f"hint: ss -ltnp 'sport = :{port}'"
        )
        self.variable = variable
        self.port = port


class Unreachable(KitError):
    """A part that this service needs gave no answer. `dependency` is its name."""

    def __init__(
        self, message: str, *, dependency: str, cause: str, retry_after_seconds: int = 1
    ) -> None:
        super().__init__(message)
        self.dependency = dependency
        self.cause = cause
        self.retry_after_seconds = retry_after_seconds


class NotCalled(Unreachable):
    """The call was not made, to spare the dependency or the threads of this instance."""

    def __init__(self, dependency: str, *, cause: str, retry_after_seconds: int = 1) -> None:
        super().__init__(
            f"{dependency} is not called: {cause}",
            dependency=dependency,
            cause=cause,
            retry_after_seconds=retry_after_seconds,
        )


class ServiceUnreachable(Unreachable):
    """Another service gave no answer: refused, broken off, not within the time-out, or not called."""

    def __init__(self, service: str, *, cause: str, retry_after_seconds: int = 1) -> None:
        super().__init__(
            f"{service} cannot be reached: {cause}",
            dependency=service,
            cause=cause,
            retry_after_seconds=retry_after_seconds,
        )
        self.service = service


class DatabaseUnreachable(Unreachable):
    """The database gave no answer, or refused the connection. A commit that it cut off may have been done."""

    def __init__(self, cause: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(
            f"the database cannot be reached: {cause}",
            dependency="database",
            cause=cause,
            retry_after_seconds=retry_after_seconds,
        )


class FlagsError(KitError):
    """The flags' file can't be used. Nothing of it is in force."""


class FlagsUnreadable(FlagsError):
    """There is no file, or it is not in the form of one."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the flags' file can't be read: {reason}\n"
            "hint: https://flagd.dev/reference/flag-definitions has the form"
        )
        self.reason = reason


class FlagInvalid(FlagsError):
    """A flag's definition can't be used. The place is a path from the file's top."""

    def __init__(self, flag: str, *, place: str, reason: str) -> None:
        super().__init__(
            f"flag {flag!r}: {place} {reason}\nhint: correct that place in the flags' file"
        )
        self.flag = flag
        self.place = place
        self.reason = reason


class FlagsUndeclared(KitError):
    """A service has no module with its flags."""

    def __init__(self, service: str) -> None:
        super().__init__(
            f"{service!r} declares no flags: {service}/flags.py has no FLAGS\n"
            "hint: docs/guides/feature-flags.md says how to declare one"
        )
        self.service = service


class MigrationError(KitError):
    """The schema was not changed, or not as far as asked."""


class MigrationsMissing(MigrationError):
    """Neither the installed package nor a checkout around it has the service's revisions."""

    def __init__(self, service: str, looked_in: list[Path]) -> None:
        places = ", ".join(str(place) for place in looked_in) or "no place: it is not installed"
        super().__init__(f"no migrations of {service!r} found (looked in {places})")
        self.service = service


class PhaseUnknown(MigrationError):
    """The service's history has no branch with the phase's label."""

    def __init__(self, service: str, *, phase: str) -> None:
        super().__init__(f"the migrations of {service!r} have no branch labelled {phase!r}")
        self.service = service
        self.phase = phase


class WrongPhase(MigrationError):
    """A helper was called by a revision of a phase in which it would break what runs."""

    def __init__(self, helper: str, *, phase: str, belongs: str, revision: str) -> None:
        super().__init__(
            f"{helper} belongs to {belongs}, and revision {revision} is on {phase}\n"
            f"hint: move the call to a revision of that branch"
        )
        self.helper = helper
        self.phase = phase


class UnsafeChange(MigrationError):
    """What was asked for cannot be done while old and new code run."""

    def __init__(self, cause: str, *, hint: str) -> None:
        super().__init__(f"{cause}\nhint: {hint}")


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session that another one waits for. `query` is shortened; its age is its transaction's."""

    pid: int
    application: str
    age_seconds: float
    state: str
    query: str

    def __str__(self) -> str:
        who = self.application or "unnamed"
        return f"pid {self.pid} ({who}), {self.state} for {self.age_seconds:.1f} s: {self.query}"


class LockUnavailable(MigrationError):
    """The lock was not given within the patience. Nothing of that step was changed."""

    def __init__(
        self, statement: str, *, waited_seconds: float, attempts: int, blockers: Sequence[Blocker]
    ) -> None:
        named = "".join(f"\n  blocked by {blocker}" for blocker in blockers)
        ends = blockers[0].pid if blockers else "PID"
        super().__init__(
            f"no lock after {attempts} attempts in {waited_seconds:.0f} s: {statement}"
            f"{named or chr(10) + '  nobody was seen to hold it'}\n"
            f"hint: run it again when that has ended, or end it: SELECT pg_terminate_backend({ends})"
        )
        self.blockers = tuple(blockers)
        self.attempts = attempts


class StatementTooLong(MigrationError):
    """A statement held its lock for longer than its class allows, and was cancelled."""

    def __init__(self, statement: str, *, seconds: float) -> None:
        super().__init__(
            f"cancelled after {seconds:g} s, for which it held its lock: {statement}\n"
            "hint: use the helper of platform_kit.migrations that does this in steps"
        )


class BackfillIncomplete(MigrationError):
    """Rows are left that the backfill should have changed: the constraint was not made."""

    def __init__(self, table: str, *, condition: str, passes: int) -> None:
        super().__init__(
            f"after {passes} passes {table} still has rows with {condition}\n"
            "hint: something writes such rows: find it, then run the migration again"
        )


class WindowUndeclared(MigrationError):
    """A contract revision does not say which release is the oldest that runs on what it leaves."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"contract revision {revision} declares no oldest_release\n"
            f'hint: add oldest_release = "X.Y.Z" to it: the first release that does not need what goes'
        )


class RevertRefused(MigrationError):
    """What was asked for cannot be taken back. Nothing was changed."""

    def __init__(self, cause: str, *, hint: str) -> None:
        super().__init__(f"{cause}\nhint: {hint}")


class SchemaAhead(MigrationError):
    """A newer release brought the schema further, and this one has no place there. Nothing was changed."""

    def __init__(self, service: str, *, version: str, heads: Sequence[str], reason: str) -> None:
        super().__init__(
            f"{', '.join(heads)} is applied, which {service} {version} does not know, and {reason}\n"
            "hint: go out with a release whose history has both"
        )
        self.heads = tuple(heads)
        self.reason = reason
