"""Signing keys: one for all, however many want it first."""

import base64
import threading
import time
from datetime import UTC, datetime

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, func, insert, select, text

from auth import keys
from auth.tables import signing_keys
from platform_kit import Database

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def row(serial, kid):
    private_key = Ed25519PrivateKey.generate().private_bytes_raw()
    return {"serial": serial, "kid": kid, "private_key": private_key}


def test_the_first_to_ask_makes_a_key_and_the_next_finds_it(database):
    """A key is made at run time, once."""
    first = keys.signing_key(database, now=NOW)

    assert keys.signing_key(database, now=NOW).kid == first.kid
    assert len(keys.all_keys(database, now=NOW)) == 1


def test_many_threads_of_two_instances_agree_on_one_key(migrated_url, together):
    """Everybody gets the same key in every round, and the table holds one."""
    instances = [Database(migrated_url), Database(migrated_url)]
    turn = iter(range(16 * 5))
    for _ in range(5):
        found = together(16, lambda: keys.signing_key(instances[next(turn) % 2], now=NOW))

        kids = {key.kid for key in found}
        private = {key.private_key.private_bytes_raw() for key in found}
        assert len(kids) == len(private) == 1
        with instances[0].begin() as connection:
            assert connection.scalar(select(func.count()).select_from(signing_keys)) == 1
            connection.execute(delete(signing_keys))
    for instance in instances:
        instance.dispose()


@pytest.mark.parametrize("rival_commits", [True, False])
def test_who_comes_second_waits_for_the_rival(database, rival_commits):
    """A rival's key is taken once it is committed; if the rival dies, an own one is made."""
    found = []
    asker = threading.Thread(target=lambda: found.append(keys.signing_key(database, now=NOW)))
    with database.connect() as rival:
        rival.execute(insert(signing_keys).values(row(1, "rivals")))
        asker.start()
        wait_for_a_blocked_query(database)
        assert found == []
        rival.commit() if rival_commits else rival.rollback()
    asker.join(timeout=10)

    assert [key.kid == "rivals" for key in found] == [rival_commits]


def wait_for_a_blocked_query(database):
    blocked = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with database.connect() as connection:
            if connection.scalar(blocked):
                return
    pytest.fail("nothing waits for the rival")


def test_the_newest_key_signs_and_the_older_ones_stay_published(client, customer, database):
    """A key that is added takes over, and tokens of the one before remain valid."""
    credentials = {"email": customer.email, "password": customer.password}
    before = client.post("/api/v1/tokens", json=credentials).json["access_token"]
    with database.begin() as connection:
        connection.execute(insert(signing_keys).values(row(2, "second")))
    after = client.post("/api/v1/tokens", json=credentials).json["access_token"]

    published = jwt.PyJWKSet.from_dict(client.get("/api/v1/jwks").json)
    assert [key.key_id for key in published.keys] == ["second", header(before)["kid"]]
    assert header(after) == {"alg": "EdDSA", "kid": "second", "typ": "JWT"}
    for token in (before, after):
        key = published[header(token)["kid"]]
        jwt.decode(token, key, algorithms=["EdDSA"], audience="platform")


def header(token):
    return jwt.get_unverified_header(token)


def test_jwks_has_an_ed25519_key_before_anyone_logged_in(client):
    """A verifier that starts first learns the key that will sign."""
    answer = client.get("/api/v1/jwks")

    assert answer.status_code == 200
    (key,) = answer.json["keys"]
    assert {name: key[name] for name in ("kty", "crv", "alg", "use")} == {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "use": "sig",
    }
    assert len(base64.urlsafe_b64decode(key["x"] + "=")) == 32


def test_jwks_never_shows_a_private_key(client, database):
    """Neither the member that would hold it, nor its bytes under another name."""
    answer = client.get("/api/v1/jwks")

    secret = keys.signing_key(database, now=NOW).private_key.private_bytes_raw()
    assert set(answer.json["keys"][0]) == {"kty", "crv", "x", "kid", "alg", "use"}
    assert base64.urlsafe_b64encode(secret).rstrip(b"=") not in answer.data
    assert secret.hex() not in answer.text
