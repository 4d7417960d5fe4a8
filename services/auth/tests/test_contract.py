"""The documents and the service say the same: each version, called as its document allows and as it does not.

schemathesis makes the calls and has every one of its checks on, with real PostgreSQL behind the app.

What it makes up logs nobody in, so the calls that succeed are made by hand, and checked in the same way.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
import schemathesis
from contract import documents
from contract.documents import as_in_life

from auth import keys, services, sessions, throttle, tokens
from auth.accounts import Account, AccountId, Role

pytestmark = [pytest.mark.contract, pytest.mark.usefixtures("cheap_passwords")]

OPERATIONS = 11
# The names that differ: of the refresh token at a logout, and of a service and its secret.
NAMES = {
    "v1": ("refresh_token", "service", "secret"),
    "v2": ("refresh_token", "client_id", "client_secret"),
    "v3": ("token", "client_id", "client_secret"),
}


stage = documents.Stage()


def described(version):
    return documents.described("auth", version, stage, among=OPERATIONS)


@pytest.fixture(autouse=True)
def staged(preview, app):
    """The app on stage, with the preview."""
    stage.app = app


@pytest.fixture
def patient(monkeypatch):
    """Lock nobody out: of two thousand made-up logins many are of one address."""
    for name in ("ACCOUNT", "ADDRESS"):
        monkeypatch.setattr(throttle, name, replace(getattr(throttle, name), room=10**6))


@pytest.fixture
def as_admin(database, clock, admin):
    """Begin another session of an admin's, and return the header that says so: a case may have ended all there were."""
    account = Account(AccountId(UUID(admin.id)), admin.email, Role.ADMIN)
    key = keys.signing_key(database, now=clock())

    def begin():
        with database.begin() as connection:
            granted = sessions.begin(connection, account, now=clock())
        token = tokens.issue(key, granted, lifetime=tokens.LIFETIME, now=clock())
        return {"Authorization": f"Bearer {token}"}

    return begin


v1, v2, v3 = described("v1"), described("v2"), described("v3")


@as_in_life
@v1.parametrize()
def test_v1_is_as_its_document_says(patient, case, as_admin):
    """Deprecated, and kept to the letter."""
    case.call_and_validate(headers=as_admin())


@as_in_life
@v2.parametrize()
def test_v2_is_as_its_document_says(patient, case, as_admin):
    """The current one."""
    case.call_and_validate(headers=as_admin())


@as_in_life
@v3.parametrize()
def test_v3_is_as_its_document_says(patient, case, as_admin):
    """A preview may change, but its document changes with it."""
    case.call_and_validate(headers=as_admin())


@pytest.fixture
def call(as_admin):
    """Make a call of an admin's as a version's document has it, check its answer by that, and return it."""

    def call(version, operation, status, body=None, **path):
        method, template = operation.split()
        schema = {"v1": v1, "v2": v2, "v3": v3}[version]
        sent = {} if body is None else {"body": body, "media_type": "application/json"}
        case = schema[template][method].Case(path_parameters=path, **sent)
        answer = case.call_and_validate(headers=as_admin())
        assert answer.status_code == status
        return answer.json() if answer.content else None

    return call


@pytest.mark.parametrize("version", NAMES)
def test_what_succeeds_is_as_the_document_says(version, call, customer, database):
    """Each operation that needs to know something."""
    token, client, secret = NAMES[version]
    credentials = {"email": customer.email, "password": customer.password}
    begun = call(version, "POST /tokens", 200, credentials)
    pair = call(version, "POST /tokens/refresh", 200, {"refresh_token": begun["refresh_token"]})
    call(version, "POST /logout", 204, {token: pair["refresh_token"]})
    proof = {client: "order", secret: services.admit(database, "order")}
    call(version, "POST /service-tokens", 200, proof)
    call(version, "GET /accounts/{account_id}", 200, account_id=customer.id)
    role = {"role": "admin"}
    call(version, "PUT /accounts/{account_id}/role", 200, role, account_id=customer.id)
    newest, *_ = call(version, "GET /sessions", 200)["items"]
    call(version, "DELETE /sessions/{session_id}", 204, session_id=newest["id"])


@pytest.mark.parametrize("version", NAMES)
def test_what_is_refused_is_as_the_document_says(version, call, admin, customer):
    """With each of the codes that depend on what was before."""
    wrong = {"email": customer.email, "password": "not the right one"}
    taken = {"email": customer.email, "password": customer.password}
    begun = call(version, "POST /tokens", 200, taken)
    token = {"refresh_token": begun["refresh_token"]}
    call(version, "POST /tokens/refresh", 200, token)
    call(version, "POST /tokens/refresh", 409, token)
    call(version, "POST /accounts", 409, taken)
    role = {"role": "customer"}
    call(version, "PUT /accounts/{account_id}/role", 409, role, account_id=admin.id)
    for _ in range(throttle.ACCOUNT.room):
        call(version, "POST /tokens", 401, wrong)
    call(version, "POST /tokens", 429, wrong)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_what_the_document_does_not_say_is_found(as_admin, version):
    """The negative control: a document that does not know the answer that is given."""
    schema = described(version)
    del schema.raw_schema["paths"]["/sessions"]["get"]["responses"]["200"]

    with pytest.raises(schemathesis.core.failures.FailureGroup):
        schema["/sessions"]["GET"].Case().call_and_validate(headers=as_admin())


@pytest.mark.parametrize("schema", [v1, v2, v3])
def test_a_document_is_one(schema):
    """By the schema of OpenAPI 3.1."""
    schema.validate()
