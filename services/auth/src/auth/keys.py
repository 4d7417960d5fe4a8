"""Signing keys: made at run time, kept in the database, shared by all instances and slots.

Whoever needs a key first makes it. Any number may try at once: the primary key of the table lets
one of them win, and the others read the winner's. A private key leaves the database only to sign.
"""

import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from auth.tables import signing_keys
from platform_kit import Database

ALGORITHM = "EdDSA"
_FIRST = 1


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs tokens, and the id by which a verifier finds its public half."""

    kid: str
    private_key: Ed25519PrivateKey

    def public_jwk(self) -> dict[str, str]:
        """Return the public half as a JSON Web Key (RFC 8037)."""
        jwk = OKPAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        return {**jwk, "kid": self.kid, "alg": ALGORITHM, "use": "sig"}


def all_keys(database: Database) -> tuple[SigningKey, ...]:
    """Return every key, the one that signs first; make one if there is none."""
    with database.begin() as connection:
        stored = _stored(connection)
        if not stored:
            _make_first(connection)
            stored = _stored(connection)
    return stored


def signing_key(database: Database) -> SigningKey:
    """Return the key that signs; make one if there is none."""
    return all_keys(database)[0]


def _stored(connection: Connection) -> tuple[SigningKey, ...]:
    newest_first = select(signing_keys).order_by(signing_keys.c.serial.desc())
    return tuple(
        SigningKey(row.kid, Ed25519PrivateKey.from_private_bytes(row.private_key))
        for row in connection.execute(newest_first)
    )


def _make_first(connection: Connection) -> None:
    row = {
        "serial": _FIRST,
        "kid": secrets.token_hex(8),
        "private_key": Ed25519PrivateKey.generate().private_bytes_raw(),
    }
    # Waits for a rival's transaction to end; READ COMMITTED then shows the rival's row.
    connection.execute(insert(signing_keys).values(row).on_conflict_do_nothing())
