"""The routes of auth: parse, call the domain, render."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel

from auth import accounts, keys, logins, services, sessions, tokens
from auth.accounts import AccountId
from auth.callers import Callers
from auth.passwords import Passwords
from auth.sessions import Granted, SessionId
from auth.shapes import (
    AccountAnswer,
    Continuation,
    Credentials,
    KeysAnswer,
    Registration,
    RoleGrant,
    ServiceCredentials,
    ServiceTokenAnswer,
    SessionsAnswer,
    TokensAnswer,
)
from platform_kit import Business, Database, client_address, parse

# RFC 6749 5.1: no cache on the way may keep a token.
NO_STORE = {"Cache-Control": "no-store"}
# Not longer than verifiers keep the keys themselves (`platform_kit.tokens`).
CACHEABLE = {"Cache-Control": "public, max-age=60"}

Clock = Callable[[], datetime]

attempted = Business("logins")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work with."""

    database: Database
    passwords: Passwords
    callers: Callers
    clock: Clock


def routes(parts: Parts) -> Blueprint:
    """Return the blueprint of auth's routes."""
    blueprint = Blueprint("auth", __name__)
    _add_accounts(blueprint, parts)
    _add_tokens(blueprint, parts)
    _add_sessions(blueprint, parts)
    _add_keys(blueprint, parts)
    return blueprint


def _add_accounts(blueprint: Blueprint, parts: Parts) -> None:
    database = parts.database

    @blueprint.post("/accounts")
    def register() -> ResponseReturnValue:
        wanted = parse(Registration)
        account = accounts.register(
            database,
            parts.passwords,
            email=wanted.email,
            password=wanted.password.get_secret_value(),
            client=client_address(),
            now=parts.clock(),
        )
        return _rendered(AccountAnswer.of(account)), 201

    @blueprint.get("/accounts/<uuid:account_id>")
    def read_account(account_id: UUID) -> ResponseReturnValue:
        caller = parts.callers.current(now=parts.clock())
        caller.must_own(AccountId(account_id))
        return _rendered(AccountAnswer.of(accounts.read(database, AccountId(account_id))))

    @blueprint.put("/accounts/<uuid:account_id>/role")
    def grant_role(account_id: UUID) -> ResponseReturnValue:
        caller = parts.callers.current(now=parts.clock())
        caller.must_be_admin()
        role = parse(RoleGrant).role
        by = caller.account.id
        account = accounts.grant(database, AccountId(account_id), role, by=by)
        return _rendered(AccountAnswer.of(account))


def _add_tokens(blueprint: Blueprint, parts: Parts) -> None:
    database = parts.database

    @blueprint.post("/tokens")
    def log_in() -> ResponseReturnValue:
        given = parse(Credentials)
        now = parts.clock()
        with attempted.attempt() as attempt:
            granted = logins.log_in(
                database,
                parts.passwords,
                email=given.email,
                password=given.password.get_secret_value(),
                client=client_address(),
                now=now,
            )
            answer = tokens_answer(granted, now)
            attempt.success()
        return _rendered(answer), 200, NO_STORE

    @blueprint.post("/tokens/refresh")
    def refresh() -> ResponseReturnValue:
        given = parse(Continuation).refresh_token.get_secret_value()
        now = parts.clock()
        granted = sessions.refresh(database, given, now=now)
        return _rendered(tokens_answer(granted, now)), 200, NO_STORE

    @blueprint.post("/service-tokens")
    def admit_service() -> ResponseReturnValue:
        given = parse(ServiceCredentials)
        now = parts.clock()
        services.recognise(database, given.service, given.secret.get_secret_value())
        key = keys.signing_key(database, now=now)
        token = tokens.issue_to_service(key, given.service, now=now)
        return _rendered(ServiceTokenAnswer(access_token=token)), 200, NO_STORE

    def tokens_answer(granted: Granted, now: datetime) -> TokensAnswer:
        token = tokens.issue(keys.signing_key(database, now=now), granted, now=now)
        return TokensAnswer.of(granted, token, now=now)


def _add_sessions(blueprint: Blueprint, parts: Parts) -> None:
    database = parts.database

    @blueprint.post("/logout")
    def log_out() -> ResponseReturnValue:
        # As RFC 7009, 2.2: a token that is none is as good as logged out.
        sessions.end_of_token(database, parse(Continuation).refresh_token.get_secret_value())
        return "", 204

    @blueprint.get("/sessions")
    def list_sessions() -> ResponseReturnValue:
        now = parts.clock()
        caller = parts.callers.current(now=now)
        found = sessions.of(database, caller.account.id, now=now)
        return _rendered(SessionsAnswer.of(found, caller.session_id))

    @blueprint.delete("/sessions")
    def log_out_everywhere() -> ResponseReturnValue:
        caller = parts.callers.current(now=parts.clock())
        sessions.end_all(database, caller.account.id)
        return "", 204

    @blueprint.delete("/sessions/<uuid:session_id>")
    def end_session(session_id: UUID) -> ResponseReturnValue:
        caller = parts.callers.current(now=parts.clock())
        sessions.end(database, caller.account.id, SessionId(session_id))
        return "", 204


def _add_keys(blueprint: Blueprint, parts: Parts) -> None:
    @blueprint.get("/jwks")
    def publish_keys() -> ResponseReturnValue:
        published = keys.all_keys(parts.database, now=parts.clock())
        return _rendered(KeysAnswer.of(published)), 200, CACHEABLE


def _rendered(answer: BaseModel) -> dict[str, Any]:
    return answer.model_dump(mode="json")
