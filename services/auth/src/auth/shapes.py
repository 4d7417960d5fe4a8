"""What goes in and out: the bodies of requests, with their limits, and those of answers.

Unknown fields are ignored: a newer caller may meet an older slot in the middle of a rollout.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Secret, StringConstraints

from auth import services
from auth.accounts import Account, Role
from auth.sessions import Granted, Session, SessionId
from auth.signing import SigningKey
from auth.tokens import LIFETIME

# Only what an address cannot do without: mail servers know the rest. 254: RFC 5321's longest path.
Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        to_lower=True,
        max_length=254,
        pattern=r"^[^@\s[:cntrl:]]+@[^@\s[:cntrl:]]+$",
    ),
]

# Checked inside of the secret, so that no error or log shows the password. A login takes any up
# to the same length: a short one is not invalid there, only wrong.
NewPassword = Secret[Annotated[str, StringConstraints(min_length=12, max_length=128)]]
GivenPassword = Secret[Annotated[str, StringConstraints(max_length=128)]]

# 32 random bytes, as `secrets.token_urlsafe` writes them. What looks otherwise is not looked up.
RandomText = Secret[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]]
ServiceName = Annotated[str, StringConstraints(pattern=services.NAME)]


class Registration(BaseModel):
    """The body of POST /accounts."""

    email: Email
    password: NewPassword


class Credentials(BaseModel):
    """The body of POST /tokens."""

    email: Email
    password: GivenPassword


class Continuation(BaseModel):
    """The body of POST /tokens/refresh and of POST /logout."""

    refresh_token: RandomText


class RoleGrant(BaseModel):
    """The body of PUT /accounts/ID/role."""

    role: Role


class ServiceCredentials(BaseModel):
    """The body of POST /service-tokens."""

    service: ServiceName
    secret: RandomText


class AccountAnswer(BaseModel):
    """The answer about an account."""

    id: UUID
    email: str
    role: Role

    @classmethod
    def of(cls, account: Account) -> Self:
        """Render an account."""
        return cls(id=account.id, email=account.email, role=account.role)


class ServiceTokenAnswer(BaseModel):
    """The answer to POST /service-tokens. The shape is RFC 6749's (5.1)."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - a kind of token
    expires_in: int = int(LIFETIME.total_seconds())


class TokensAnswer(ServiceTokenAnswer):
    """The answer to POST /tokens and to POST /tokens/refresh."""

    refresh_token: str
    refresh_expires_in: int

    @classmethod
    def of(cls, granted: Granted, access_token: str, *, now: datetime) -> Self:
        """Render what a login or a refresh has granted."""
        left = granted.refresh_expires_at - now
        return cls(
            access_token=access_token,
            refresh_token=granted.refresh_token,
            refresh_expires_in=int(left.total_seconds()),
        )


class SessionAnswer(BaseModel):
    """A session of the caller's; `current` is the one that asks."""

    id: UUID
    started_at: datetime
    refreshed_at: datetime
    ends_at: datetime
    current: bool


class SessionsAnswer(BaseModel):
    """The answer to GET /sessions."""

    items: list[SessionAnswer]

    @classmethod
    def of(cls, sessions: Sequence[Session], current: SessionId | None) -> Self:
        """Render the caller's sessions."""
        items = [
            SessionAnswer(
                id=session.id,
                started_at=session.started_at,
                refreshed_at=session.refreshed_at,
                ends_at=session.ends_at,
                current=session.id == current,
            )
            for session in sessions
        ]
        return cls(items=items)


class KeysAnswer(BaseModel):
    """The answer to GET /jwks: a JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, str]]

    @classmethod
    def of(cls, keys: Sequence[SigningKey]) -> Self:
        """Render the public halves."""
        return cls(keys=[key.public_jwk() for key in keys])
