"""Who calls auth's own routes: verified by auth's own keys, and asked for in the database.

Elsewhere a token is good until it expires. Here a session that was ended, or a role that was taken, counts at once: what
these routes give away is worth more than a quarter of an hour.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from auth import accounts, sessions
from auth.accounts import Account, AccountId, AccountUnknown, Role
from auth.sessions import SessionId
from platform_kit import Caller, Database, Problem, TokenVerifier, audit


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The account of the current request's token, as it is now. A token of 1.2.0 has no session."""

    account: Account
    session_id: SessionId | None

    def must_be_admin(self) -> None:
        """Raise a 403 `Problem` for everybody else."""
        Caller(str(self.account.id), frozenset({self.account.role})).must_be(Role.ADMIN)

    def must_own(self, account_id: AccountId) -> None:
        """Raise `AccountUnknown` for an account that is somebody else's, unless the caller is an admin."""
        if account_id != self.account.id and self.account.role is not Role.ADMIN:
            subject = str(self.account.id)
            audit("access_refused", subject=subject, outcome="refused", reason="not_own")
            raise AccountUnknown


class SessionEnded(Problem):
    """The token is good, but who it was made for has logged out since."""

    def __init__(self) -> None:
        super().__init__(
            401,
            "session_ended",
            "The session of this access token has ended. Log in again.",
            headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


class Callers:
    """Finds out who calls. One for all threads."""

    def __init__(self, database: Database, verifier: TokenVerifier) -> None:
        self._database = database
        self._verifier = verifier

    def current(self, *, now: datetime) -> LoggedIn:
        """Return who the current request's token is about; raise a 401 `Problem`, such as `SessionEnded`."""
        caller = self._verifier.caller()
        session_id = None if caller.session is None else SessionId(UUID(caller.session))
        with self._database.connect() as connection:
            if session_id is not None and not sessions.lives(connection, session_id, now=now):
                raise SessionEnded
            try:
                account = accounts.find(connection, AccountId(UUID(caller.subject)))
            except AccountUnknown as gone:
                raise SessionEnded from gone
        return LoggedIn(account, session_id)
