"""The operations of auth: parse, call the domain, render.

They are written for the newest version of the interface; `changes` leads from and to the others.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from auth import accounts, keys, logins, services, sessions, tokens
from auth.accounts import AccountId
from auth.callers import Callers
from auth.changes import CHANGES, VERSIONS
from auth.passwords import Passwords
from auth.sessions import Granted, SessionId
from auth.shapes import (
    AccountAnswer,
    Continuation,
    Credentials,
    KeysAnswer,
    Logout,
    Registration,
    RoleGrant,
    ServiceCredentials,
    ServiceTokenAnswer,
    SessionsAnswer,
    TokensAnswer,
)
from platform_kit import Business, Database, client_address, parse
from platform_kit.api import Api, Clock

# RFC 6749 5.1: no cache on the way may keep a token.
NO_STORE = {"Cache-Control": "no-store"}
# Not longer than verifiers keep the keys themselves (`platform_kit.tokens`).
CACHEABLE = {"Cache-Control": "public, max-age=60"}

# What a token can be refused for beside what the kit finds: `callers.py` asks the database, too.
ENDED = {401: ["session_ended"]}

attempted = Business("logins")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work with."""

    database: Database
    passwords: Passwords
    callers: Callers
    clock: Clock


def routes(parts: Parts) -> Api:
    """Return auth's interface."""
    api = Api(VERSIONS, CHANGES, clock=parts.clock)
    _add_accounts(api, parts)
    _add_tokens(api, parts)
    _add_sessions(api, parts)
    _add_keys(api, parts)
    return api


def _add_accounts(api: Api, parts: Parts) -> None:
    database = parts.database

    @api.operation(
        "POST /accounts",
        body=Registration,
        answer=AccountAnswer,
        statuses=(201,),
        refusals={409: ["email_taken"], 429: ["too_many_attempts"]},
    )
    def register() -> AccountAnswer:
        """Make an account for an email address."""
        wanted = parse(Registration)
        account = accounts.register(
            database,
            parts.passwords,
            email=wanted.email,
            password=wanted.password.get_secret_value(),
            client=client_address(),
            now=parts.clock(),
        )
        return AccountAnswer.of(account)

    @api.operation(
        "GET /accounts/<uuid:account_id>",
        answer=AccountAnswer,
        refusals={**ENDED, 404: ["account_unknown"]},
        secured=True,
    )
    def read_account(account_id: UUID) -> AccountAnswer:
        """Read the caller's own account; an admin reads every one."""
        caller = parts.callers.current(now=parts.clock())
        caller.must_own(AccountId(account_id))
        return AccountAnswer.of(accounts.read(database, AccountId(account_id)))

    @api.operation(
        "PUT /accounts/<uuid:account_id>/role",
        body=RoleGrant,
        answer=AccountAnswer,
        refusals={**ENDED, 403: ["role_missing"], 404: ["account_unknown"], 409: ["own_role"]},
        secured=True,
    )
    def grant_role(account_id: UUID) -> AccountAnswer:
        """Give an account a role. For admins only."""
        caller = parts.callers.current(now=parts.clock())
        caller.must_be_admin()
        role = parse(RoleGrant).role
        by = caller.account.id
        return AccountAnswer.of(accounts.grant(database, AccountId(account_id), role, by=by))


def _add_tokens(api: Api, parts: Parts) -> None:
    database = parts.database

    @api.operation(
        "POST /tokens",
        body=Credentials,
        answer=TokensAnswer,
        answer_headers=NO_STORE,
        refusals={401: ["credentials_wrong"], 429: ["too_many_attempts"]},
    )
    def log_in() -> TokensAnswer:
        """Begin a session by an email address and its password."""
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
        return answer

    @api.operation(
        "POST /tokens/refresh",
        body=Continuation,
        answer=TokensAnswer,
        answer_headers=NO_STORE,
        refusals={401: ["refresh_invalid"], 409: ["refresh_superseded"]},
    )
    def refresh() -> TokensAnswer:
        """Exchange a refresh token, once, for the next pair."""
        given = parse(Continuation).refresh_token.get_secret_value()
        now = parts.clock()
        return tokens_answer(sessions.refresh(database, given, now=now), now)

    @api.operation(
        "POST /service-tokens",
        body=ServiceCredentials,
        answer=ServiceTokenAnswer,
        answer_headers=NO_STORE,
        refusals={401: ["service_refused"]},
    )
    def admit_service() -> ServiceTokenAnswer:
        """Answer a token by which a service says who it is. For other services only."""
        given = parse(ServiceCredentials)
        now = parts.clock()
        services.recognise(database, given.client_id, given.client_secret.get_secret_value())
        key = keys.signing_key(database, now=now)
        token = tokens.issue_to_service(key, given.client_id, now=now)
        seconds = int(tokens.LIFETIME.total_seconds())
        return ServiceTokenAnswer(access_token=token, expires_in=seconds)

    def tokens_answer(granted: Granted, now: datetime) -> TokensAnswer:
        lifetime = tokens.lifetime(granted.account.id)
        key = keys.signing_key(database, now=now)
        token = tokens.issue(key, granted, lifetime=lifetime, now=now)
        return TokensAnswer.of(granted, token, lifetime=lifetime, now=now)


def _add_sessions(api: Api, parts: Parts) -> None:
    database = parts.database

    @api.operation("POST /logout", body=Logout, statuses=(204,))
    def log_out() -> None:
        """End the session of a refresh token."""
        # As RFC 7009, 2.2: a token that is none is as good as logged out.
        sessions.end_of_token(database, parse(Logout).token.get_secret_value())

    @api.operation("GET /sessions", answer=SessionsAnswer, refusals=ENDED, secured=True)
    def list_sessions() -> SessionsAnswer:
        """List the caller's sessions."""
        now = parts.clock()
        caller = parts.callers.current(now=now)
        found = sessions.of(database, caller.account.id, now=now)
        return SessionsAnswer.of(found, caller.session_id)

    @api.operation("DELETE /sessions", statuses=(204,), refusals=ENDED, secured=True)
    def log_out_everywhere() -> None:
        """End all sessions of the caller's."""
        caller = parts.callers.current(now=parts.clock())
        sessions.end_all(database, caller.account.id)

    @api.operation(
        "DELETE /sessions/<uuid:session_id>",
        statuses=(204,),
        refusals={**ENDED, 404: ["session_unknown"]},
        secured=True,
    )
    def end_session(session_id: UUID) -> None:
        """End a session of the caller's."""
        caller = parts.callers.current(now=parts.clock())
        sessions.end(database, caller.account.id, SessionId(session_id))


def _add_keys(api: Api, parts: Parts) -> None:
    @api.operation("GET /jwks", answer=KeysAnswer, answer_headers=CACHEABLE)
    def publish_keys() -> KeysAnswer:
        """Publish the keys that verify access tokens."""
        return KeysAnswer.of(keys.all_keys(parts.database, now=parts.clock()))
