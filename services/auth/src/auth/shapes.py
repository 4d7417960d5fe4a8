"""What goes in and out of auth, in the newest version of its interface. What it was before is in `changes`.

Unknown fields are ignored: a newer caller may meet an older slot in the middle of a rollout.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Secret, StringConstraints, WithJsonSchema

from auth import services
from auth.accounts import Account, Role
from auth.sessions import Granted, Session, SessionId
from auth.signing import SigningKey

# Unicode's, which is taken off around an address. Spelt out: what `\s` means differs from one dialect to the next.
_WHITE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_PART = rf"[^@{_WHITE}\x00-\x1f\x7f]+"
# Only what an address cannot do without: mail servers know the rest. 254: RFC 5321's longest path. The second pattern
# says the same of what may be sent, with the spaces.
Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        to_lower=True,
        max_length=254,
        pattern=r"^[^@\s[:cntrl:]]+@[^@\s[:cntrl:]]+$",
    ),
    WithJsonSchema(
        {
            "type": "string",
            "description": "up to 254 characters, white space around not counted",
            "pattern": (
                rf"^[{_WHITE}]*(?=[^{_WHITE}]{{3,254}}[{_WHITE}]*$){_PART}@{_PART}[{_WHITE}]*$"
            ),
        }
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
    """An account to make."""

    email: Email
    password: NewPassword


class Credentials(BaseModel):
    """Who logs in."""

    email: Email
    password: GivenPassword


class Continuation(BaseModel):
    """What goes on with a session."""

    refresh_token: RandomText


class Logout(BaseModel):
    """The token whose session ends; the name is RFC 7009's (2.1)."""

    token: RandomText


class RoleGrant(BaseModel):
    """The role that an account is to have."""

    role: Role


class ServiceCredentials(BaseModel):
    """Who asks for a service's token: its name, and the secret that proves it. The names are RFC 6749's (2.3.1)."""

    client_id: ServiceName
    client_secret: RandomText


class AccountAnswer(BaseModel):
    """An account."""

    id: UUID
    email: str
    role: Role

    @classmethod
    def of(cls, account: Account) -> Self:
        """Render an account."""
        return cls(id=account.id, email=account.email, role=account.role)


class ServiceTokenAnswer(BaseModel):
    """A token, and for how many seconds it is good. The shape is RFC 6749's (5.1)."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - a kind of token
    expires_in: int


class TokensAnswer(ServiceTokenAnswer):
    """A pair of tokens, for how many seconds each is good, and whose they are."""

    refresh_token: str
    refresh_token_expires_in: int
    account: AccountAnswer

    @classmethod
    def of(cls, granted: Granted, access_token: str, *, lifetime: timedelta, now: datetime) -> Self:
        """Render what a login or a refresh has granted, with an access token of that lifetime."""
        left = granted.refresh_expires_at - now
        return cls(
            access_token=access_token,
            expires_in=int(lifetime.total_seconds()),
            refresh_token=granted.refresh_token,
            refresh_token_expires_in=int(left.total_seconds()),
            account=AccountAnswer.of(granted.account),
        )


class SessionAnswer(BaseModel):
    """A session of the caller's; `current` is the one that asks."""

    id: UUID
    started_at: datetime
    refreshed_at: datetime
    ends_at: datetime
    current: bool


class SessionsAnswer(BaseModel):
    """The caller's sessions that can go on, the one used last first."""

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
    """The keys that verify access tokens: a JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, str]]

    @classmethod
    def of(cls, keys: Sequence[SigningKey]) -> Self:
        """Render the public halves."""
        return cls(keys=[key.public_jwk() for key in keys])
