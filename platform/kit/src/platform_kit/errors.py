# ruff: noqa: N818 - a name says what happened, not that it is an error
"""Everything the kit raises for its callers, sorted by what they can do about it.

KitError
├── SettingsError          correct the environment, start again
│   ├── MissingSetting
│   └── InvalidSetting
├── StartRefused           correct the command or free the port, start again
│   ├── ServiceUnknown
│   └── PortTaken
├── Unreachable            try again later
│   ├── ServiceUnreachable
│   └── DatabaseUnreachable
└── MigrationError         correct the migrations
    ├── MigrationsMissing
    └── PhaseUnknown

What a client of a service gets to see is a `Problem`, in `problems.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    """A part that this service needs did not answer."""


class ServiceUnreachable(Unreachable):
    """Another service gave no answer: refused, broken off, or not within the time-out."""

    def __init__(self, service: str, *, cause: str) -> None:
        super().__init__(f"{service} cannot be reached: {cause}")
        self.service = service
        self.cause = cause


class DatabaseUnreachable(Unreachable):
    """The database gave no answer, or refused the connection."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"the database cannot be reached: {cause}")
        self.cause = cause


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
