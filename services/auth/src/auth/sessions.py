"""Sessions: what a login begins, each refresh goes on with, and a logout ends.

A session is a family of refresh tokens (RFC 9700, 4.14.2). Each token can be exchanged once, for the next one. One that
comes a second time was copied: either the thief or the owner has gone on with it, nobody can tell which, so the session
ends for both. Of two that come at once one wins; the other is refused, and within `DOUBLE_CLICK` of the first
that is all that happens: a client that sends everything twice loses nothing, and whoever comes later is a thief again. The
loser never gets a token, so a thief gains no more by being quick than by being first.

The database has the tokens' hashes only. They are 256 random bits: no salt and no slow hash makes them harder to guess.

Problem
    RefreshInvalid      the caller logs in again
    RefreshSuperseded   the caller goes on with the answer to its other request
    SessionUnknown      the caller asks for one of their own
"""

import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, NewType
from uuid import UUID, uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
    and_,
    delete,
    insert,
    select,
    update,
)

from auth import accounts
from auth.accounts import Account, AccountId
from auth.tables import refresh_tokens, sessions
from platform_kit import Database, Problem, audit

SessionId = NewType("SessionId", UUID)

# Who does not come back for two weeks logs in again; after three months everybody does.
IDLE = timedelta(days=14)
LONGEST = timedelta(days=90)
# Two clicks, two tabs, a request sent again after a lost answer: all within seconds of each other.
DOUBLE_CLICK = timedelta(seconds=10)
# Devices of one person. One more, and the session that was longest not used ends: it bounds the table.
MOST = 20
TOKEN_BYTES = 32


class RefreshInvalid(Problem):
    """The refresh token is none, or of a session that has ended. Which of them is not told."""

    def __init__(self) -> None:
        super().__init__(
            401,
            "refresh_invalid",
            "This refresh token is not valid. Log in again.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


class RefreshSuperseded(Problem):
    """The refresh token was exchanged a moment ago, by another request of the same client."""

    def __init__(self) -> None:
        super().__init__(
            409,
            "refresh_superseded",
            "This refresh token was exchanged a moment ago. Use the answer to that request.",
        )


class SessionUnknown(Problem):
    """The caller has no such session: there is none, or it is somebody else's."""

    def __init__(self) -> None:
        super().__init__(404, "session_unknown", "You have no such session.")


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its owner may see it."""

    id: SessionId
    account_id: AccountId
    started_at: datetime
    refreshed_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Granted:
    """Who is logged in, in which session, and the only copy of what goes on with it."""

    account: Account
    session_id: SessionId
    refresh_token: str
    refresh_expires_at: datetime


class Finding(StrEnum):
    """What an exchange finds of a token."""

    GOOD = "good"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    JUST_USED = "just_used"
    REUSED = "reused"


@dataclass(frozen=True, slots=True)
class _Refused:
    finding: Finding
    session: Session | None = None


def judge(expires_at: datetime, used_at: datetime | None, *, now: datetime) -> Finding:
    """Say what a stored token is worth now."""
    if used_at is not None:
        return Finding.JUST_USED if now - used_at < DOUBLE_CLICK else Finding.REUSED
    return Finding.EXPIRED if expires_at <= now else Finding.GOOD


def begin(connection: Connection, account: Account, *, now: datetime) -> Granted:
    """Begin a session of an account, and end those beyond `MOST` that were longest not used."""
    session = Session(SessionId(uuid4()), account.id, now, now, now + LONGEST)
    connection.execute(insert(sessions).values(asdict(session)))
    surplus = (
        select(sessions.c.id)
        .where(sessions.c.account_id == account.id, sessions.c.id != session.id)
        .order_by(sessions.c.refreshed_at.desc())
        .offset(MOST - 1)
        .with_for_update(skip_locked=True)
    )
    connection.execute(delete(sessions).where(sessions.c.id.in_(surplus)))
    return _grant(connection, account, session, now=now)


def refresh(database: Database, token: str, *, now: datetime) -> Granted:
    """Exchange a refresh token for the next one; raise `RefreshInvalid` or `RefreshSuperseded`."""
    with database.begin() as connection:
        ended = _exchange(connection, token, now=now)
    # Outside of the transaction: what a refusal has changed is committed.
    if isinstance(ended, Granted):
        audit(
            "token_refreshed",
            subject=str(ended.account.id),
            outcome="done",
            session=str(ended.session_id),
        )
        return ended
    audit(
        "refresh_reused" if ended.finding is Finding.REUSED else "refresh_refused",
        subject=str(ended.session.account_id) if ended.session else None,
        outcome="refused",
        reason=ended.finding.value,
    )
    raise RefreshSuperseded if ended.finding is Finding.JUST_USED else RefreshInvalid


def of(database: Database, account_id: AccountId, *, now: datetime) -> tuple[Session, ...]:
    """Return the sessions of an account that can go on, the one used last first."""
    living = (
        select(sessions)
        .where(
            sessions.c.account_id == account_id,
            sessions.c.ends_at > now,
            sessions.c.refreshed_at > now - IDLE,
        )
        .order_by(sessions.c.refreshed_at.desc(), sessions.c.id)
    )
    with database.connect() as connection:
        return tuple(_session(row) for row in connection.execute(living))


def lives(connection: Connection, session_id: SessionId, *, now: datetime) -> bool:
    """Say whether there is such a session, and it has not ended."""
    living = select(sessions.c.id).where(sessions.c.id == session_id, sessions.c.ends_at > now)
    return connection.scalar(living) is not None


def end_of_token(database: Database, token: str) -> None:
    """End the session of a refresh token, whichever of its tokens that is; nothing if there is none."""
    _end(database, sessions.c.id == _session_of(token), event="logged_out")


def end(database: Database, account_id: AccountId, session_id: SessionId) -> None:
    """End a session of an account; raise `SessionUnknown` if it has none such."""
    own = and_(sessions.c.id == session_id, sessions.c.account_id == account_id)
    if not _end(database, own, event="session_ended"):
        raise SessionUnknown


def end_all(database: Database, account_id: AccountId) -> None:
    """End all sessions of an account."""
    _end(database, sessions.c.account_id == account_id, event="session_ended")


def _exchange(connection: Connection, token: str, *, now: datetime) -> Granted | _Refused:
    # The session is locked before its token is looked at, and by everybody in this order: two that come at once take
    # turns, and nobody waits in a circle with who ends the session.
    held = select(sessions).where(sessions.c.id == _session_of(token)).with_for_update()
    row = connection.execute(held).one_or_none()
    if row is None:
        return _Refused(Finding.UNKNOWN)
    session = _session(row)
    is_token = refresh_tokens.c.hash == _hash(token)
    stored = connection.execute(select(refresh_tokens).where(is_token)).one_or_none()
    if stored is None:  # expired, and forgotten by a rival while we waited
        return _Refused(Finding.UNKNOWN)
    finding = judge(stored.expires_at, stored.used_at, now=now)
    if finding is Finding.REUSED:
        connection.execute(delete(sessions).where(sessions.c.id == session.id))
    if finding is not Finding.GOOD:
        return _Refused(finding, session)
    connection.execute(update(refresh_tokens).where(is_token).values(used_at=now))
    connection.execute(update(sessions).where(sessions.c.id == session.id).values(refreshed_at=now))
    return _grant(connection, accounts.find(connection, session.account_id), session, now=now)


def _grant(connection: Connection, account: Account, session: Session, *, now: datetime) -> Granted:
    """Make the session's next token, and forget those that could not be exchanged any more anyway."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    expires_at = min(now + IDLE, session.ends_at)
    row = {"hash": _hash(token), "session_id": session.id, "expires_at": expires_at}
    connection.execute(
        delete(refresh_tokens).where(
            refresh_tokens.c.session_id == session.id, refresh_tokens.c.expires_at <= now
        )
    )
    connection.execute(insert(refresh_tokens).values(row))
    return Granted(account, session.id, token, expires_at)


def _end(database: Database, which: ColumnElement[bool], *, event: str) -> bool:
    with database.begin() as connection:
        ended = connection.execute(delete(sessions).where(which).returning(sessions)).all()
    for session in map(_session, ended):
        audit(event, subject=str(session.account_id), outcome="done", session=str(session.id))
    return bool(ended)


def _session_of(token: str) -> ScalarSelect[UUID]:
    found = select(refresh_tokens.c.session_id).where(refresh_tokens.c.hash == _hash(token))
    return found.scalar_subquery()


def _session(row: Row[Any]) -> Session:
    return Session(
        SessionId(row.id),
        AccountId(row.account_id),
        row.started_at,
        row.refreshed_at,
        row.ends_at,
    )


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
