"""Signing keys: one for all, however many want it first."""

import base64
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete, func, insert, select, text

from auth import keys, rotation
from auth.tables import signing_keys
from platform_kit import Database, TokenVerifier

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


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


@pytest.fixture
def kids(client):
    """The ids of the keys that are published, the one that signs first."""
    return lambda: [key["kid"] for key in client.get("/api/v1/jwks").json["keys"]]


def test_the_next_key_is_published_long_before_it_signs(
    client, database, clock, customer, log_in, kids
):
    """Until its turn comes, tokens are signed by the one before."""
    (first,) = kids()
    following, signs_at = keys.rotate(database, now=clock())

    assert kids() == [first, following]
    assert signs_at == clock() + rotation.LEAD
    clock.later = rotation.LEAD - SECOND
    assert signer(log_in(customer)) == first
    clock.later = rotation.LEAD
    assert signer(log_in(customer)) == following
    assert kids() == [following, first]


def signer(said):
    """The id of the key that signed the access token of an answer."""
    return header(said["access_token"])["kid"]


def test_the_key_before_is_published_until_its_last_token_has_expired(database, clock, kids):
    """And then it is gone, with its private half."""
    (first,) = kids()
    following, _ = keys.rotate(database, now=clock())
    clock.later = rotation.LEAD
    kids()
    clock.later += rotation.KEPT - SECOND
    assert kids() == [following, first]
    clock.later += SECOND

    assert kids() == [following]
    with database.connect() as connection:
        assert connection.scalars(select(signing_keys.c.kid)).all() == [following]


def test_a_verifier_takes_every_token_of_a_rotation(client, database, clock, customer, log_in):
    """It fetches the keys as other services do, every five minutes, and never meets an unknown one."""
    seconds = [0.0]
    fetched = []

    def fetch():
        fetched.append(seconds[0])
        return client.get("/api/v1/jwks").json

    verifier = TokenVerifier(fetch, clock=lambda: seconds[0])
    verifier.claims(log_in(customer)["access_token"])
    keys.rotate(database, now=clock())
    signers = []
    # Two minutes at a time, on a clock that pyjwt, which reads the system's, need not follow.
    for _ in range(20):
        clock.later += timedelta(minutes=2)
        seconds[0] += 120
        said = log_in(customer)
        signers.append(signer(said))
        verifier._key(signer(said))

    assert len(set(signers)) == 2
    assert all(later - sooner >= 300 for sooner, later in pairwise(fetched))


def test_rotating_twice_waits_for_the_same_key(database, clock, kids):
    """Two operators, or one who is impatient."""
    keys.signing_key(database, now=clock())

    assert keys.rotate(database, now=clock()) == keys.rotate(database, now=clock() + SECOND)
    assert len(kids()) == 2


def test_many_that_rotate_at_once_publish_one_key(migrated_url, database, clock, together):
    """And all are told of it."""
    keys.signing_key(database, now=clock())
    told = together(8, lambda: keys.rotate(database, now=clock()))

    assert len(set(told)) == 1


def test_many_that_see_a_key_due_promote_it_once(database, clock, together):
    """Everybody signs with it from then on."""
    keys.signing_key(database, now=clock())
    following, signs_at = keys.rotate(database, now=clock())
    signing = together(8, lambda: keys.signing_key(database, now=signs_at).kid)

    assert set(signing) == {following}
    with database.connect() as connection:
        assert sorted(connection.scalars(select(signing_keys.c.serial))) == [1, 2]


def test_a_key_of_ninety_days_changes_by_itself(client, clock, kids):
    """Published first, as any other."""
    (first,) = kids()
    clock.later = rotation.OLD
    following = kids()[1]
    clock.later += rotation.LEAD

    assert kids() == [following, first]


def test_a_stolen_key_goes_at_once(client, database, clock, customer, log_in, kids):
    """With the one that waited, which the thief has as well."""
    kids()
    keys.rotate(database, now=clock())
    only = keys.replace(database, now=clock())

    assert kids() == [only]
    assert signer(log_in(customer)) == only


def test_two_that_replace_at_once_leave_one_key(database, clock, together):
    """The second one replaces the first one's."""
    keys.signing_key(database, now=clock())
    made = together(4, lambda: keys.replace(database, now=clock()))

    with database.connect() as connection:
        assert connection.scalars(select(signing_keys.c.kid)).one() in made
    assert len(set(made)) == 4


def test_the_release_before_signs_with_the_key_that_this_one_signs_with(database, clock):
    """1.2.0 takes the highest serial: neither a waiting key, nor one that was promoted, leads it astray."""

    def older_release():
        newest = select(signing_keys.c.kid).order_by(signing_keys.c.serial.desc())
        with database.connect() as connection:
            return connection.scalars(newest).first()

    keys.signing_key(database, now=clock())
    _, signs_at = keys.rotate(database, now=clock())

    for now in (clock(), signs_at):
        assert keys.signing_key(database, now=now).kid == older_release()


def test_jwks_has_an_ed25519_key_before_anyone_logged_in(client):
    """A verifier that starts first learns the key that will sign."""
    answer = client.get("/api/v1/jwks")

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, max-age=60"
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
