"""Routes for services only: off, observed, required; by real keys, and with every kind of wrong token."""

import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Blueprint
from jwt.algorithms import OKPAlgorithm

from platform_kit import Admission, TokenVerifier
from platform_kit.admission import Mode, Outcome
from platform_kit.instance import Instance
from platform_kit.tokens import LEEWAY_SECONDS, REFETCH_SECONDS

NOW = time.time()
# What a token is refused for, and the audit trail's reason.
WRONG = {
    "a customer's": ({"aud": "platform", "sub": "account-1"}, 401, "token_invalid"),
    "another audience": ({"aud": "elsewhere"}, 401, "token_invalid"),
    "expired": ({"exp": NOW - LEEWAY_SECONDS - 1}, 401, "token_expired"),
    "another issuer": ({"iss": "somebody"}, 401, "token_invalid"),
    "another service": ({"sub": "service:user"}, 403, "service_not_admitted"),
    "no service": ({"sub": "order"}, 403, "service_not_admitted"),
    "none": (None, 401, "token_missing"),
}


class Keys:
    """Signs as auth does, publishes, and can be away."""

    def __init__(self):
        self.is_away = False
        self.rotate()

    def rotate(self):
        """Throw the key away for another one."""
        self.kid, self.key = secrets.token_hex(4), Ed25519PrivateKey.generate()

    def published(self):
        if self.is_away:
            raise OSError("away")
        jwk = OKPAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**jwk, "kid": self.kid, "alg": "EdDSA"}]}

    def token(self, **changes):
        claims = {"sub": "service:order", "iss": "auth", "aud": "services", "exp": NOW + 900}
        return jwt.encode({**claims, **changes}, self.key, "EdDSA", headers={"kid": self.kid})


@pytest.fixture
def keys():
    return Keys()


@pytest.fixture
def door(make_app, keys, clock):
    """Make a route that lets order in; return how to knock, and how often each outcome has been."""

    def make(mode):
        verifier = TokenVerifier(keys.published, audience="services", clock=clock)
        admission = Admission(mode, verifier)
        routes = Blueprint("door", __name__)

        @routes.post("/events")
        def take():
            admission.admit("order")
            return {"taken": True}

        app = make_app(routes, admission=admission)

        def knock(token=None):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = app.test_client().post("/api/v1/events", headers=headers)
            return answer.status_code, answer.json.get("code")

        return knock, admission.outcomes, app

    return make


@pytest.fixture
def said(capfd):
    """The log since the last call."""

    def read():
        lines = "".join(capfd.readouterr()).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    return read


def counted(**wanted):
    return {**dict.fromkeys(Outcome, 0), **wanted}


def test_a_service_that_is_named_is_let_in(door, keys):
    """And counted."""
    knock, outcomes, _ = door(Mode.REQUIRED)

    assert knock(keys.token()) == (200, None)
    assert outcomes() == counted(admitted=1)


@pytest.mark.parametrize("wrong", WRONG)
def test_everybody_else_is_refused(door, keys, said, wrong):
    """With a line in the audit trail, that has no token in it."""
    changes, status, code = WRONG[wrong]
    token = None if changes is None else keys.token(**changes)
    knock, outcomes, _ = door(Mode.REQUIRED)

    assert knock(token) == (status, code)
    assert outcomes() == counted(refused=1)
    log = said()
    (line,) = [each for each in log if each.get("audit")]
    assert (line["event"], line["outcome"], line["reason"]) == (
        "service_call_refused",
        "refused",
        code,
    )
    assert line["subject"] == (changes["sub"] if status == 403 else None)
    assert token is None or token not in json.dumps(log)


@pytest.mark.parametrize("wrong", WRONG)
def test_observed_they_pass_and_are_counted(door, keys, said, wrong):
    """What would be refused is in the log, with its reason."""
    changes, _, code = WRONG[wrong]
    knock, outcomes, _ = door(Mode.OBSERVE)

    assert knock(None if changes is None else keys.token(**changes)) == (200, None)
    assert outcomes() == counted(tolerated=1)
    assert [each["reason"] for each in said() if each["event"] == "service_call_tolerated"] == [
        code
    ]


def test_observed_a_good_one_is_no_cause_for_a_line(door, keys, said):
    """So the count of the others is what keeps it from being required."""
    knock, outcomes, _ = door(Mode.OBSERVE)

    assert knock(keys.token()) == (200, None)
    assert outcomes() == counted(admitted=1)
    assert not [each for each in said() if each["event"] == "service_call_tolerated"]


def test_off_nothing_is_asked(door, keys):
    """Not even whether auth is there."""
    keys.is_away = True
    off = Admission.by_keys_at("http://127.0.0.1:9", Mode.OFF)

    assert off.admit("order") is None
    assert (off.outcomes(), off.dependencies) == (counted(), ())


@pytest.mark.parametrize(
    ("mode", "answer"), [(Mode.REQUIRED, (503, "auth_unavailable")), (Mode.OBSERVE, (200, None))]
)
def test_without_keys_only_required_turns_away(door, keys, mode, answer):
    """With 503: nobody has said that the token is wrong."""
    keys.is_away = True
    knock, outcomes, _ = door(mode)

    assert knock(keys.token()) == answer
    assert outcomes() == counted(unverified=1)


def test_a_rotated_key_is_found(door, keys, clock):
    """As every verifier finds it; a token of the one that was taken back is worth nothing then."""
    knock, _, _ = door(Mode.REQUIRED)
    before = keys.token()
    assert knock(before) == (200, None)
    keys.rotate()
    clock.now += REFETCH_SECONDS

    assert knock(keys.token()) == (200, None)
    assert knock(before) == (401, "token_invalid")


def test_the_counts_are_on_metrics(door, keys):
    """Every outcome from the start."""
    knock, _, app = door(Mode.REQUIRED)
    knock(keys.token())
    page = Instance.of(app).metrics.exposition().decode()
    lines = [line for line in page.splitlines() if line.startswith("service_calls_total")]

    assert len(lines) == len(Outcome)
    assert [line.rpartition(" ")[2] for line in lines if 'outcome="admitted"' in line] == ["1.0"]


class HungAuth(BaseHTTPRequestHandler):
    """Takes requests and never answers."""

    let_go = threading.Event()

    def do_GET(self):
        self.let_go.wait()

    def log_message(self, *_):
        """Say nothing."""


def test_observing_does_not_wait_for_an_auth_that_hangs(make_app):
    """A caller gives up after two seconds: an observer must not cost it its answer."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), HungAuth)
    server.daemon_threads, server.block_on_close = True, False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    admission = Admission.by_keys_at(f"http://127.0.0.1:{server.server_port}", Mode.OBSERVE)
    routes = Blueprint("door", __name__)
    routes.get("/door")(lambda: {"taken": admission.admit("order") is None})
    client = make_app(routes, admission=admission).test_client()
    token = Keys().token()
    try:
        began = time.monotonic()
        answer = client.get("/api/v1/door", headers={"Authorization": f"Bearer {token}"})
        took = time.monotonic() - began
    finally:
        HungAuth.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()

    assert (answer.status_code, admission.outcomes()) == (200, counted(unverified=1))
    assert took < 1.5
