"""Services that ask for tokens of their own: a name and a secret that the operator made (`python -m auth`).

The secret has 256 random bits, so its plain hash is all that is kept, and nobody has to be slowed down who guesses.

Problem
    ServiceRefused   the operator gives the service another secret
"""

import hmac
import secrets
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from auth.tables import service_credentials
from platform_kit import Database, Problem, audit

SECRET_BYTES = 32
NAME = r"^[a-z][a-z0-9-]{0,62}$"
_NOBODYS_HASH = bytes(32)  # what no secret hashes to that anybody knows


class ServiceRefused(Problem):
    """No service has this name and secret."""

    def __init__(self) -> None:
        super().__init__(
            401,
            "service_refused",
            "No service has this name and secret.",
            headers={"WWW-Authenticate": "Bearer"},
        )


def admit(database: Database, service: str) -> str:
    """Make a secret for a service and return the only copy; the one before is worth nothing from now on."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    row = {"service": service, "secret_hash": _hash(secret)}
    statement = insert(service_credentials).values(row)
    with database.begin() as connection:
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["service"], set_={"secret_hash": statement.excluded.secret_hash}
            )
        )
    audit("service_admitted", subject=f"service:{service}", outcome="done")
    return secret


def recognise(database: Database, service: str, secret: str) -> None:
    """Raise `ServiceRefused` unless the service has this secret."""
    stored = select(service_credentials.c.secret_hash).where(
        service_credentials.c.service == service
    )
    with database.connect() as connection:
        known = connection.scalar(stored)
    if not hmac.compare_digest(_hash(secret), known or _NOBODYS_HASH) or known is None:
        audit("service_refused", subject=None, outcome="refused")
        raise ServiceRefused
    audit("service_recognised", subject=f"service:{service}", outcome="done")


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
