"""Who may call what: every route by every kind of caller, and whose accounts they reach."""

import re
from uuid import uuid4

import jwt
import pytest

from auth import keys
from auth.accounts import Role
from auth.tokens import AUDIENCE, ISSUER
from platform_kit import Database

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("cheap_passwords")]

SOMEBODY = "00000000-0000-4000-8000-000000000000"
# The routes that anybody may call, in every version; the others want a token.
OPEN = {
    ("POST", "accounts"),
    ("POST", "tokens"),
    ("POST", "tokens/refresh"),
    ("POST", "service-tokens"),
    ("POST", "logout"),
    ("GET", "jwks"),
    ("GET", "openapi.json"),
    ("GET", "docs"),
}


@pytest.fixture
def app(preview, app):
    """With the preview."""
    return app


def guarded(app):
    """Every other route, with somebody's id."""
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/"):
            continue
        below = rule.rule.split("/", 3)[3]
        path = re.sub("<uuid:[a-z_]+>", SOMEBODY, rule.rule)
        methods = rule.methods - {"HEAD", "OPTIONS"}
        yield from ((method, path) for method in methods if (method, below) not in OPEN)


def signed(database, clock, **changes):
    """A token by auth's own key, with other claims than auth would give."""
    key = keys.signing_key(database, now=clock())
    claims = {"sub": str(uuid4()), "iss": ISSUER, "aud": AUDIENCE, "exp": clock().timestamp() + 60}
    return jwt.encode(
        {**claims, **changes}, key.private_key, algorithm="EdDSA", headers={"kid": key.kid}
    )


def test_without_a_token_every_route_but_the_open_ones_is_shut(app, client):
    """Before the body is looked at: a new route is shut, too, or is named above."""
    answers = {call: client.open(call[1], method=call[0], json=7) for call in guarded(app)}

    assert len(answers) >= 3 * 5
    assert {answer.json["code"] for answer in answers.values()} == {"token_missing"}


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "services", "sub": "service:order"},
        {"aud": "elsewhere"},
        {"iss": "mallory"},
        {"exp": 1},
    ],
)
def test_a_token_for_something_else_opens_none_of_them(app, client, database, clock, changes):
    """A service's, another platform's, one of yesterday: signed by the right key all the same."""
    headers = {"Authorization": f"Bearer {signed(database, clock, **changes)}"}

    for method, path in guarded(app):
        assert client.open(path, method=method, headers=headers).status_code == 401


def test_a_token_of_an_account_that_is_gone_opens_nothing(client, database, clock):
    """It is signed, and about nobody."""
    headers = {"Authorization": f"Bearer {signed(database, clock)}"}

    answer = client.get("/api/v1/sessions", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (401, "session_ended")


def test_a_token_of_the_release_before_still_works(client, database, clock, customer):
    """It has neither roles nor a session: in the middle of a rollout both releases issue tokens."""
    headers = {"Authorization": f"Bearer {signed(database, clock, sub=customer.id)}"}

    assert client.get(f"/api/v1/accounts/{customer.id}", headers=headers).status_code == 200


def test_a_customer_reads_their_own_account(client, customer, bearer):
    """And no cache keeps it."""
    answer = client.get(f"/api/v1/accounts/{customer.id}", headers=bearer(customer))

    assert answer.json == {"id": customer.id, "email": customer.email, "role": "customer"}
    assert answer.headers["Cache-Control"] == "no-store"


def test_somebody_elses_account_is_as_good_as_none(client, customer, register, bearer):
    """404, word for word: an id that exists is not told from one that does not."""
    headers = bearer(customer)
    answers = [
        client.get(f"/api/v1/accounts/{each}", headers=headers)
        for each in (register().id, SOMEBODY)
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json["detail"] == answers[1].json["detail"]


def test_an_admin_reads_every_account(client, admin, customer, bearer):
    """And is told when there is none."""
    headers = bearer(admin)

    assert client.get(f"/api/v1/accounts/{customer.id}", headers=headers).status_code == 200
    assert client.get(f"/api/v1/accounts/{SOMEBODY}", headers=headers).status_code == 404


@pytest.mark.parametrize("whose", ["own", "another", "none"])
def test_a_customer_gives_nobody_a_role(client, customer, register, bearer, whose):
    """Least of all themselves; 403, whether there is such an account or not."""
    account = {"own": customer.id, "another": register().id, "none": SOMEBODY}[whose]
    answer = client.put(
        f"/api/v1/accounts/{account}/role", headers=bearer(customer), json={"role": "admin"}
    )

    assert (answer.status_code, answer.json["code"]) == (403, "role_missing")


def test_a_role_in_the_token_alone_makes_nobody_an_admin(client, database, clock, customer):
    """The database decides: a role that was taken counts at once."""
    token = signed(database, clock, sub=customer.id, roles=["admin"])
    answer = client.put(
        f"/api/v1/accounts/{SOMEBODY}/role",
        headers={"Authorization": f"Bearer {token}"},
        json={"role": "admin"},
    )

    assert answer.status_code == 403


def test_an_admin_gives_and_takes_a_role(client, admin, customer, bearer, log_in):
    """The next token says so."""
    path, headers = f"/api/v1/accounts/{customer.id}/role", bearer(admin)
    for role in ("admin", "customer"):
        answer = client.put(path, headers=headers, json={"role": role})

        assert (answer.status_code, answer.json["role"]) == (200, role)
        assert roles(log_in(customer)["access_token"]) == [role]


def test_a_refresh_brings_the_role_of_now(client, admin, customer, bearer, log_in):
    """Who was logged in before need not log in again."""
    token = log_in(customer)["refresh_token"]
    client.put(
        f"/api/v1/accounts/{customer.id}/role", headers=bearer(admin), json={"role": "admin"}
    )
    answer = client.post("/api/v1/tokens/refresh", json={"refresh_token": token})

    assert roles(answer.json["access_token"]) == ["admin"]


def roles(token):
    return jwt.decode(token, options={"verify_signature": False})["roles"]


def test_an_admin_does_not_change_their_own_role(client, admin, bearer):
    """The last one would lock everybody out."""
    answer = client.put(
        f"/api/v1/accounts/{admin.id}/role", headers=bearer(admin), json={"role": "customer"}
    )

    assert (answer.status_code, answer.json["code"]) == (409, "own_role")


@pytest.mark.parametrize("role", ["root", "", "Admin", None, ["admin"], 1])
def test_a_role_that_there_is_not_is_refused(client, admin, customer, bearer, role):
    """422, and the account keeps its role."""
    path = f"/api/v1/accounts/{customer.id}"
    headers = bearer(admin)
    answer = client.put(f"{path}/role", headers=headers, json={"role": role})

    assert answer.status_code == 422
    assert client.get(path, headers=headers).json["role"] == Role.CUSTOMER


def test_a_role_for_an_account_that_there_is_not_is_refused(client, admin, bearer):
    """404, for an admin only."""
    answer = client.put(
        f"/api/v1/accounts/{SOMEBODY}/role", headers=bearer(admin), json={"role": "admin"}
    )

    assert (answer.status_code, answer.json["code"]) == (404, "account_unknown")


@pytest.mark.parametrize("path", ["accounts/7", "accounts/nobody", "sessions/7", "accounts/../x"])
def test_what_is_no_id_is_no_path(client, customer, bearer, path):
    """Nothing is looked up by it."""
    method = "DELETE" if path.startswith("sessions") else "GET"

    answer = client.open(f"/api/v1/{path}", method=method, headers=bearer(customer))
    assert answer.status_code == 404


def test_a_body_longer_than_16_kibibytes_is_refused(client):
    """No body of auth's has more than one."""
    answer = client.post("/api/v1/tokens", json={"email": "x" * 17_000, "password": "x"})

    assert answer.status_code == 413


def test_the_database_takes_no_other_role(database: Database, customer):
    """Also from who writes past the service."""
    from sqlalchemy import text
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError, match="accounts_role"), database.begin() as connection:
        connection.execute(text("UPDATE accounts SET role = 'root'"))
