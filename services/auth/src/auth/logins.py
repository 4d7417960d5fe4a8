"""Logging in: a password for a session, at the same cost and with the same answers whether there is an account or not.

Ask whether the address or the client is locked, compare the password (or a hash of nobody's), then count what came of
it. Who is locked out meanwhile is told that and nothing else, even with the right password: a lock that the
right password opens would say which one is right.

Problem
    CredentialsWrong   the caller gives others; which of the two is wrong is not told
    TooManyFailures    the caller waits (`attempts.py`)
"""

from datetime import datetime

from auth import accounts, attempts, sessions
from auth.accounts import Account
from auth.attempts import Origin, TooManyFailures
from auth.passwords import Passwords
from auth.sessions import Granted
from platform_kit import Database, Problem, audit


class CredentialsWrong(Problem):
    """No account has this email address and password."""

    def __init__(self) -> None:
        super().__init__(
            401,
            "credentials_wrong",
            "No account has this email address and password.",
            headers={"WWW-Authenticate": "Bearer"},  # RFC 9110 15.5.2 wants one on every 401
        )


def log_in(
    database: Database,
    passwords: Passwords,
    *,
    email: str,
    password: str,
    client: str | None,
    now: datetime,
) -> Granted:
    """Begin a session of the account with these credentials; raise `CredentialsWrong` or `TooManyFailures`."""
    account, password_hash = accounts.credentials(database, email)
    origin = Origin(email, client)
    try:
        with database.connect() as connection:
            attempts.refuse_locked(connection, origin, now=now)
        if not passwords.matches(password_hash, password) or account is None:
            raise _refusal(database, origin, now=now)
        granted = _welcome(database, origin, account, now=now)
    except (CredentialsWrong, TooManyFailures) as refused:
        subject = str(account.id) if account else None
        audit("login_refused", subject=subject, outcome="refused", reason=refused.code)
        raise
    session_id = str(granted.session_id)
    audit("login_succeeded", subject=str(account.id), outcome="done", session=session_id)
    return granted


def _refusal(
    database: Database, origin: Origin, *, now: datetime
) -> CredentialsWrong | TooManyFailures:
    with database.begin() as connection:
        left = attempts.count_failure(connection, origin, now=now)
    return CredentialsWrong() if left is None else TooManyFailures(left)


def _welcome(database: Database, origin: Origin, account: Account, *, now: datetime) -> Granted:
    with database.begin() as connection:
        attempts.forgive(connection, origin, now=now)
        return sessions.begin(connection, account, now=now)
