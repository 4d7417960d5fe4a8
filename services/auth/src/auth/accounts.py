"""Accounts: who may log in, and with what.

Email addresses arrive here in lower case, so that one address has one account.

Problem
    EmailTaken         the caller picks another address, or logs in
    CredentialsWrong   the caller gives others; which of the two is wrong is not told
"""

from dataclasses import dataclass
from typing import NewType
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from auth.passwords import Passwords
from auth.tables import accounts
from platform_kit import Database, Problem

AccountId = NewType("AccountId", UUID)


@dataclass(frozen=True, slots=True)
class Account:
    """An account as others may see it."""

    id: AccountId
    email: str


class EmailTaken(Problem):
    """There is an account with this email address already."""

    def __init__(self) -> None:
        super().__init__(409, "email_taken", "An account with this email address exists already.")


class CredentialsWrong(Problem):
    """No account has this email address and password."""

    def __init__(self) -> None:
        super().__init__(
            401,
            "credentials_wrong",
            "No account has this email address and password.",
            headers={"WWW-Authenticate": "Bearer"},  # RFC 9110 15.5.2 wants one on every 401
        )


def register(database: Database, passwords: Passwords, *, email: str, password: str) -> Account:
    """Make an account and return it; raise `EmailTaken` if the address has one."""
    # Hashed before the transaction begins: no connection is held while waiting for a turn.
    row = {"id": uuid4(), "email": email, "password_hash": passwords.hash(password)}
    statement = (
        insert(accounts)
        .values(row)
        .on_conflict_do_nothing(constraint="accounts_email")
        .returning(accounts.c.id)
    )
    with database.begin() as connection:
        account_id = connection.execute(statement).scalar_one_or_none()
    if account_id is None:
        raise EmailTaken
    return Account(id=AccountId(account_id), email=email)


def log_in(database: Database, passwords: Passwords, *, email: str, password: str) -> Account:
    """Return the account of these credentials; raise `CredentialsWrong` if there is none."""
    statement = select(accounts.c.id, accounts.c.password_hash).where(accounts.c.email == email)
    with database.connect() as connection:
        row = connection.execute(statement).one_or_none()
    matched = passwords.matches(row.password_hash if row else None, password)
    if row is None or not matched:
        raise CredentialsWrong
    return Account(id=AccountId(row.id), email=email)
