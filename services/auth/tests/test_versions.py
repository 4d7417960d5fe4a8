"""The versions of auth's interface: the same sessions and services, asked for by three sets of names."""

import re
from timeit import repeat

import pytest
from contract.patterns import differing

from auth import services
from auth.app import create
from auth.changes import VERSIONS, v2, v3
from auth.shapes import Email, Logout, ServiceCredentials
from platform_kit.instance import Instance

TOKENS = {"access_token", "token_type", "expires_in", "refresh_token"}
ANSWERS = {
    "v1": TOKENS | {"refresh_expires_in"},
    "v2": TOKENS | {"refresh_token_expires_in"},
    "v3": TOKENS | {"refresh_token_expires_in", "account"},
}
PROOFS = {
    "v1": ("service", "secret"),
    "v2": ("client_id", "client_secret"),
    "v3": ("client_id", "client_secret"),
}
LOGOUTS = {"v1": "refresh_token", "v2": "refresh_token", "v3": "token"}
SECRET = "A" * 43


@pytest.fixture
def client(preview, cheap_passwords, app):
    """With the preview."""
    return app.test_client()


@pytest.fixture
def begin(client, customer):
    """Begin a session of the customer's at a version, and return what it answers."""

    def begin(version):
        body = {"email": customer.email, "password": customer.password}
        return client.post(f"/api/{version}/tokens", json=body).json

    return begin


@pytest.mark.integration
@pytest.mark.parametrize("begun_by", ANSWERS)
@pytest.mark.parametrize("gone_on_by", ANSWERS)
def test_a_session_of_one_version_goes_on_in_each_in_its_own_shape(
    client, begin, begun_by, gone_on_by
):
    """No more fields, and no fewer."""
    begun = begin(begun_by)
    token = {"refresh_token": begun["refresh_token"]}
    gone_on = client.post(f"/api/{gone_on_by}/tokens/refresh", json=token).json

    assert (begun.keys(), gone_on.keys()) == (ANSWERS[begun_by], ANSWERS[gone_on_by])


@pytest.mark.integration
def test_the_newest_says_whose_the_tokens_are(begin, customer):
    """As GET /accounts does, so that nobody looks into the access token."""
    expected = {"id": customer.id, "email": customer.email, "role": "customer"}

    assert expected == begin("v3")["account"]


@pytest.mark.integration
@pytest.mark.parametrize("version", LOGOUTS)
def test_a_logout_ends_the_session_in_every_version(client, begin, version):
    """Whatever the token is called."""
    token = begin("v2")["refresh_token"]
    answer = client.post(f"/api/{version}/logout", json={LOGOUTS[version]: token})
    refused = client.post("/api/v2/tokens/refresh", json={"refresh_token": token})

    assert (answer.status_code, refused.status_code) == (204, 401)


@pytest.mark.integration
@pytest.mark.parametrize("version", PROOFS)
def test_a_service_is_admitted_in_every_version(client, database, version):
    """By the same secret, under the version's names."""
    name, secret = PROOFS[version]
    body = {name: "order", secret: services.admit(database, "order")}
    answer = client.post(f"/api/{version}/service-tokens", json=body)

    assert answer.status_code == 200
    assert answer.json.keys() == {"access_token", "token_type", "expires_in"}


@pytest.mark.integration
@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("v1/service-tokens", {"client_id": "order", "client_secret": SECRET}, ["service", "secret"]),
        ("v1/service-tokens", {"service": "order", "secret": "short"}, ["secret"]),
        ("v2/service-tokens", {"service": "order", "secret": SECRET}, ["client_id", "client_secret"]),
        ("v2/service-tokens", {"client_id": "?", "client_secret": SECRET}, ["client_id"]),
        ("v2/logout", {"token": SECRET}, ["refresh_token"]),
        ("v3/logout", {"refresh_token": SECRET}, ["token"]),
    ],
)  # fmt: skip
def test_a_refusal_names_the_fields_that_the_version_has(client, path, body, fields):
    """And never what was in them."""
    answer = client.post(f"/api/{path}", json=body)

    assert answer.status_code == 422
    assert fields == [error["field"] for error in answer.json["errors"]]
    assert SECRET not in answer.text


@pytest.mark.integration
@pytest.mark.parametrize("version", ANSWERS)
def test_no_cache_keeps_a_token_and_every_cache_the_keys(client, begin, customer, version):
    """In every version, and a refusal neither way."""
    body = {"email": customer.email, "password": customer.password}
    calls = [
        client.post(f"/api/{version}/tokens", json=body),
        client.get(f"/api/{version}/jwks"),
        client.post(f"/api/{version}/tokens", json={}),
    ]

    assert [answer.headers.get("Cache-Control") for answer in calls] == [
        "no-store",
        "public, max-age=60",
        None,
    ]


@pytest.mark.integration
def test_only_the_deprecated_version_says_that_it_is(client):
    """With its dates, and where to go."""
    old, new = (client.get(f"/api/{version}/jwks").headers for version in ("v1", "v2"))

    assert (old["Deprecation"], old["Sunset"]) == ("@1796083200", "Fri, 01 Dec 2028 00:00:00 GMT")
    assert '<../v2/jwks>; rel="successor-version"' in old["Link"]
    assert {"Deprecation", "Sunset", "Link"}.isdisjoint(new.keys())


@pytest.mark.integration
def test_after_its_sunset_v1_is_gone_and_the_others_are_not(client, instance, migrated_url):
    """410 says where to go; nobody is logged in."""
    instance(migrated_url)
    ended = create(clock=lambda: VERSIONS[0].sunset).test_client()
    answer = ended.post("/api/v1/tokens", json={})

    assert answer.status_code == 410
    assert (answer.json["code"], answer.json["successor"]) == ("version_gone", "../v2/tokens")
    assert ended.get("/api/v2/jwks").status_code == 200


@pytest.mark.integration
def test_calls_are_counted_by_version_and_caller(client, app, customer, bearer):
    """A customer by the token, everybody else as nobody."""
    headers = bearer(customer)
    for version in ("v1", "v2", "v2"):
        client.get(f"/api/{version}/sessions", headers=headers)
    page = Instance.of(app).metrics.exposition().decode()
    line = r'^api_calls_total{.*api="(\w+)",consumer="customer".*} (\S+)$'

    assert sorted(re.findall(line, page, re.MULTILINE)) == [("v1", "1.0"), ("v2", "2.0")]


# What differs from one dialect of patterns to the next, or ends an address, and what is plain.
PIECES = [
    "",
    " ",
    "\n",
    "\t",
    "\x1c",
    "\x7f",
    "\x85",
    "\xa0",
    "\u3000",
    "\ufeff",
    "\u200b",
    "é",
    "@",
]
ADDRESSES = [
    *(f"{a}{b}@{c}{d}" for a in PIECES for b in PIECES for c in PIECES for d in PIECES),
    *(f"{a}{'x' * length}@x{b}" for length in (251, 252, 253) for a in PIECES for b in PIECES),
]  # fmt: skip


def test_the_documented_pattern_of_an_address_lets_through_what_the_service_does():
    """By its own regular expression, since spaces around do not count."""
    assert len(ADDRESSES) > 20_000
    assert differing(Email, ADDRESSES) == []


def test_what_older_versions_send_is_taken_by_the_newest():
    """With the secret hidden on all of the way."""
    sent = v2.ServiceCredentials(service="order", secret=SECRET).model_dump(exclude_unset=True)
    newest = ServiceCredentials.model_validate(v2.with_a_client(sent))
    logout = Logout.model_validate(v3.of_any_token({"refresh_token": SECRET}))

    assert (newest.client_id, newest.client_secret.get_secret_value()) == ("order", SECRET)
    assert logout.token.get_secret_value() == SECRET
    assert SECRET not in repr((sent, newest, logout))


@pytest.mark.parametrize(
    ("step", "body"),
    [
        (v2.with_a_client, {"service": "order", "secret": SECRET}),
        (v2.shortened, dict.fromkeys(ANSWERS["v2"], 1)),
        (v3.without_the_account, dict.fromkeys(ANSWERS["v3"], 1)),
        (v3.of_any_token, {"refresh_token": SECRET}),
    ],
)
def test_a_step_costs_microseconds(step, body):
    """Ten by its target, five times that on a machine that does other things beside."""
    rounds = repeat(lambda: step(body), number=1000, repeat=50)

    assert min(rounds) / 1000 < 5 * 10e-6
