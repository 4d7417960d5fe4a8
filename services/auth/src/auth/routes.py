"""The routes of auth: parse, call the domain, render."""

from datetime import UTC, datetime
from typing import Annotated

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Secret, StringConstraints

from auth import accounts, keys, tokens
from auth.passwords import Passwords
from platform_kit import Business, Database, parse

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

logins = Business("logins")


class Registration(BaseModel):
    """The body of POST /accounts."""

    email: Email
    password: NewPassword


class Credentials(BaseModel):
    """The body of POST /tokens."""

    email: Email
    password: GivenPassword


def routes(database: Database, passwords: Passwords) -> Blueprint:
    """Return the blueprint of auth's routes."""
    blueprint = Blueprint("auth", __name__)

    @blueprint.post("/accounts")
    def register() -> ResponseReturnValue:
        wanted = parse(Registration)
        password = wanted.password.get_secret_value()
        account = accounts.register(database, passwords, email=wanted.email, password=password)
        return {"id": str(account.id), "email": account.email}, 201

    @blueprint.post("/tokens")
    def log_in() -> ResponseReturnValue:
        given = parse(Credentials)
        password = given.password.get_secret_value()
        with logins.attempt() as attempt:
            account = accounts.log_in(database, passwords, email=given.email, password=password)
            token = tokens.issue(keys.signing_key(database), account.id, now=datetime.now(UTC))
            attempt.success()
        expires_in = int(tokens.LIFETIME.total_seconds())
        # RFC 6749 5.1: no cache on the way may keep a token.
        headers = {"Cache-Control": "no-store"}
        return (
            {"access_token": token, "token_type": "Bearer", "expires_in": expires_in},
            200,
            headers,
        )

    @blueprint.get("/jwks")
    def publish_keys() -> ResponseReturnValue:
        return {"keys": [key.public_jwk() for key in keys.all_keys(database)]}

    return blueprint
