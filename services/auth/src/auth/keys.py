"""Signing keys: made at run time, kept in the database, shared by all instances and slots.

Whoever needs a key first makes it, and whoever reads the keys does what is due with them (`rotation.py`). Any number may
try at once: the primary key of the table, and the serial that each change names, let one of them make it and the
others find it made. A private key leaves the database only to sign.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import (
    Connection,
    Delete,
    Row,
    ScalarSelect,
    Update,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from auth import rotation
from auth.rotation import NEXT, Due, KeyDates
from auth.signing import SigningKey
from auth.tables import signing_keys
from platform_kit import Database, audit

_FIRST = 1


def all_keys(database: Database, *, now: datetime) -> tuple[SigningKey, ...]:
    """Return every published key, the one that signs first; make one if there is none."""
    with database.begin() as connection:
        stored = _stored(connection, now=now)
        if due := rotation.due([_dates(row) for row in stored], now):
            _do(connection, due, now=now)
            stored = _stored(connection, now=now)
    return tuple(_key(row) for row in stored)


def signing_key(database: Database, *, now: datetime) -> SigningKey:
    """Return the key that signs; make one if there is none."""
    return all_keys(database, now=now)[0]


def rotate(database: Database, *, now: datetime) -> tuple[str, datetime]:
    """Publish the next key; return its id and when it begins to sign. If one waits already, it is that one."""
    with database.begin() as connection:
        _stored(connection, now=now)
        _make(connection, NEXT, now=now)
        kid, created_at = connection.execute(
            select(signing_keys.c.kid, signing_keys.c.created_at).where(
                signing_keys.c.serial == NEXT
            )
        ).one()
    return kid, created_at + rotation.LEAD


def replace(database: Database, *, now: datetime) -> str:
    """Throw all keys away and return the id of the one that signs from now on: for when one was stolen.

    Every access token becomes invalid, at a verifier within five minutes; sessions go on.
    """
    with database.begin() as connection:
        # Nobody signs meanwhile with what goes, and of two that replace the second one sees the first one's key.
        connection.execute(text("LOCK TABLE signing_keys IN ACCESS EXCLUSIVE MODE"))
        serial = connection.execute(select(_next_serial())).scalar_one()
        _change(connection, "key_retired", delete(signing_keys))
        _make(connection, serial, now=now, signs_since=now)
        (only,) = _stored(connection, now=now)
    return str(only.kid)


def _stored(connection: Connection, *, now: datetime) -> Sequence[Row[Any]]:
    """Return the keys, the newest first; make the first one if there is none."""
    newest_first = select(signing_keys).order_by(signing_keys.c.serial.desc())
    stored = connection.execute(newest_first).all()
    if not stored:
        # Waits for a rival's transaction to end; READ COMMITTED then shows the rival's row.
        _make(connection, _FIRST, now=now, signs_since=now)
        stored = connection.execute(newest_first).all()
    return stored


def _make(
    connection: Connection, serial: int, *, now: datetime, signs_since: datetime | None = None
) -> None:
    """Store a new key, unless there is one with this serial."""
    row = {
        "serial": serial,
        "kid": secrets.token_hex(8),
        "private_key": Ed25519PrivateKey.generate().private_bytes_raw(),
        "created_at": now,
        "signs_since": signs_since,
    }
    event = "key_announced" if serial == NEXT else "key_made"
    _change(connection, event, insert(signing_keys).values(row).on_conflict_do_nothing())


def _do(connection: Connection, due: Due, *, now: datetime) -> None:
    if due.promote:
        values = {"serial": _next_serial(), "signs_since": now}
        _change(
            connection,
            "key_promoted",
            update(signing_keys).where(signing_keys.c.serial == NEXT).values(values),
        )
    if due.retire:
        old = delete(signing_keys).where(signing_keys.c.serial.in_(due.retire))
        _change(connection, "key_retired", old)
    if due.announce:
        _make(connection, NEXT, now=now)


def _change(connection: Connection, event: str, statement: Insert | Update | Delete) -> None:
    for kid in connection.execute(statement.returning(signing_keys.c.kid)).scalars():
        audit(event, subject=None, outcome="done", kid=kid)


def _next_serial() -> ScalarSelect[int]:
    return select(func.coalesce(func.max(signing_keys.c.serial), 0) + 1).scalar_subquery()


def _dates(row: Row[Any]) -> KeyDates:
    return KeyDates(row.serial, row.created_at, row.signs_since)


def _key(row: Row[Any]) -> SigningKey:
    return SigningKey(row.kid, Ed25519PrivateKey.from_private_bytes(row.private_key))
