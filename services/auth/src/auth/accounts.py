"""Accounts: who may log in, with what, and what they may do.

Email addresses arrive here in lower case, so that one address has one account.

Problem
    EmailTaken       the caller picks another address, or logs in
    TooManyFailures  the caller waits (`attempts.py`)
    AccountUnknown   the caller asks for one that there is, and that they may see
    OwnRole          the caller asks another admin
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, Row, select, update
from sqlalchemy.dialects.postgresql import insert

from auth import attempts
from auth.attempts import Origin, TooManyFailures
from auth.passwords import Passwords
from auth.tables import accounts
from platform_kit import Database, Problem, audit

AccountId = NewType("AccountId", UUID)


class Role(StrEnum):
    """What an account may do. Every account begins as a customer."""

    CUSTOMER = "customer"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Account:
    """An account as others may see it."""

    id: AccountId
    email: str
    role: Role = Role.CUSTOMER


class EmailTaken(Problem):
    """There is an account with this email address already."""

    def __init__(self) -> None:
        super().__init__(409, "email_taken", "An account with this email address exists already.")


class AccountUnknown(Problem):
    """There is no such account, or it is not one that the caller may see."""

    def __init__(self) -> None:
        super().__init__(404, "account_unknown", "There is no such account.")


class OwnRole(Problem):
    """An admin would change their own role: the last one could lock everybody out."""

    def __init__(self) -> None:
        super().__init__(409, "own_role", "Another admin has to change your role.")


def register(
    database: Database,
    passwords: Passwords,
    *,
    email: str,
    password: str,
    client: str | None,
    now: datetime,
) -> Account:
    """Make an account and return it; raise `EmailTaken` if the address has one, `TooManyFailures` after many such.

    `EmailTaken` tells that there is an account. The first release answered so, and clients rely on it; the count of
    what one client is told bounds how many addresses it can try.
    """
    origin = Origin(None, client)
    with database.connect() as connection:
        attempts.refuse_locked(connection, origin, now=now)
    # Hashed before the transaction begins: no connection is held while waiting for a turn.
    row = {"id": uuid4(), "email": email, "password_hash": passwords.hash(password)}
    statement = (
        insert(accounts)
        .values(row)
        .on_conflict_do_nothing(constraint="accounts_email")
        .returning(accounts)
    )
    with database.begin() as connection:
        made = connection.execute(statement).one_or_none()
        left = attempts.count_failure(connection, origin, now=now) if made is None else None
    if made is None:
        refused = EmailTaken() if left is None else TooManyFailures(left)
        audit("registration_refused", subject=None, outcome="refused", reason=refused.code)
        raise refused
    audit("account_registered", subject=str(made.id), outcome="done")
    return _account(made)


def read(database: Database, account_id: AccountId) -> Account:
    """Return an account; raise `AccountUnknown` if there is none."""
    with database.connect() as connection:
        return find(connection, account_id)


def find(connection: Connection, account_id: AccountId) -> Account:
    """Return an account; raise `AccountUnknown` if there is none."""
    row = connection.execute(select(accounts).where(accounts.c.id == account_id)).one_or_none()
    if row is None:
        raise AccountUnknown
    return _account(row)


def credentials(database: Database, email: str) -> tuple[Account | None, str | None]:
    """Return the account of an email address and its password's hash; nothing and no hash if there is none."""
    with database.connect() as connection:
        row = connection.execute(select(accounts).where(accounts.c.email == email)).one_or_none()
    return (None, None) if row is None else (_account(row), row.password_hash)


def grant(database: Database, account_id: AccountId, role: Role, *, by: AccountId) -> Account:
    """Give an account a role and return it; raise `OwnRole` or `AccountUnknown`."""
    if account_id == by:
        raise OwnRole
    return _grant(database, role, accounts.c.id == account_id, by=str(by))


def grant_to(database: Database, email: str, role: Role) -> Account:
    """Give the account of an email address a role; raise `AccountUnknown`. For the operator, who makes the first admin."""
    return _grant(database, role, accounts.c.email == email, by="operator")


def _grant(database: Database, role: Role, which: ColumnElement[bool], *, by: str) -> Account:
    changed = update(accounts).where(which).values(role=role.value).returning(accounts)
    with database.begin() as connection:
        row = connection.execute(changed).one_or_none()
    if row is None:
        raise AccountUnknown
    audit("role_granted", subject=str(row.id), outcome="done", role=role, by=by)
    return _account(row)


def _account(row: Row[Any]) -> Account:
    return Account(id=AccountId(row.id), email=row.email, role=Role(row.role))
