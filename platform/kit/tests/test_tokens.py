"""Tokens: real keys, a real JWKS over HTTP, and what happens when auth is away."""

import base64
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Blueprint, Flask
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from platform_kit import Caller, Problem, TokenVerifier
from platform_kit.tokens import (
    FETCH_TIMEOUT_SECONDS,
    KEYS_MAX_AGE_SECONDS,
    REFETCH_SECONDS,
    RETRY_SECONDS,
)

pytestmark = pytest.mark.integration


class Signer:
    """A key pair with an id."""

    def __init__(self, kid, algorithm="EdDSA"):
        self.kid, self.algorithm = kid, algorithm
        is_eddsa = algorithm == "EdDSA"
        self.key = Ed25519PrivateKey.generate() if is_eddsa else generate_private_key(SECP256R1())
        to_jwk = (OKPAlgorithm if is_eddsa else ECAlgorithm).to_jwk
        self.jwk = {**to_jwk(self.key.public_key(), as_dict=True), "kid": kid, "alg": algorithm}

    def token(self, **changes):
        claims = {"sub": "account-1", "iss": "auth", "aud": "platform", "exp": time.time() + 60}
        claims |= changes
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.key, self.algorithm, headers={"kid": self.kid})


class Auth:
    """Publishes keys, and counts how often it is asked."""

    def __init__(self, *signers):
        self.asked = 0
        self.body = b""
        self.publish(*signers)
        auth = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                auth.asked += 1
                self.send_response(200)
                self.end_headers()
                self.wfile.write(auth.body)

            def log_message(self, *_):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/auth/api/v1/jwks"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def publish(self, *signers):
        self.body = json.dumps({"keys": [signer.jwk for signer in signers]}).encode()

    def stop(self):
        if self.thread.is_alive():
            self.server.shutdown()
            self.thread.join()
        self.server.server_close()


@pytest.fixture
def signer():
    return Signer("key-1")


@pytest.fixture
def auth(signer):
    auth = Auth(signer)
    yield auth
    auth.stop()


@pytest.fixture
def who(make_app, auth, clock):
    """Ask a route for the subject of a token."""
    verifier = TokenVerifier(auth.url, clock=clock)
    routes = Blueprint("who", __name__)
    routes.get("/who")(lambda: {"subject": verifier.subject()})
    client = make_app(routes).test_client()

    def who(token=None, *, header=None):
        sent = header if header is not None else f"Bearer {token}"
        answer = client.get("/api/v1/who", headers={"Authorization": sent} if sent else {})
        return answer, answer.get_json(force=True)

    return who


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"])
def test_a_good_token_says_who(who, auth, algorithm):
    """Both algorithms that auth may use."""
    signer = Signer("key-2", algorithm)
    auth.publish(signer)

    assert who(signer.token())[1] == {"subject": "account-1"}


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dTpw", "token"])
def test_no_token_is_told_how_to_send_one(who, header):
    """A 401 with a plain challenge: nothing was wrong with a token."""
    answer, body = who(header=header)

    assert (answer.status_code, body["code"]) == (401, "token_missing")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "mallory"},
        {"aud": "elsewhere"},
        {"sub": None},
        {"exp": None},
        {"aud": None},
        {"iss": None},
    ],
)
def test_a_token_for_others_is_refused(who, signer, changes):
    """Signed by the right key, but not for this platform, or without what it must say."""
    answer, body = who(signer.token(**changes))

    assert (answer.status_code, body["code"]) == (401, "token_invalid")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_an_expired_token_says_so(who, signer):
    """The client should log in again rather than give up."""
    answer, body = who(signer.token(exp=time.time() - 60))

    assert (answer.status_code, body["code"]) == (401, "token_expired")


def test_a_token_signed_by_somebody_else_is_refused(who):
    """It claims the right key's id."""
    assert who(Signer("key-1").token())[1]["code"] == "token_invalid"


def unsigned(**header):
    """A token that asks to be believed without a signature."""
    parts = (header, {"sub": "account-1", "iss": "auth", "aud": "platform", "exp": 9e9})
    coded = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
    ]
    return ".".join([*coded, ""])


@pytest.mark.parametrize(
    "token",
    [
        "garbage",
        "a.b.c",
        unsigned(alg="none", kid="key-1"),
        jwt.encode({"sub": "x"}, "s" * 64, "HS256", headers={"kid": "key-1"}),
    ],
)
def test_what_is_no_signed_token_is_refused(who, token):
    """Among them the two classics: no algorithm, and a symmetric one."""
    answer, body = who(token)

    assert (answer.status_code, body["code"]) == (401, "token_invalid")


def test_keys_are_fetched_once_and_verify_offline(who, auth, signer):
    """Auth goes away: tokens go on working, forgeries go on failing."""
    assert who(signer.token())[0].status_code == 200
    auth.stop()
    again = [who(signer.token())[0].status_code for _ in range(20)]

    assert again == [200] * 20
    assert who(Signer("key-1").token())[0].status_code == 401
    assert auth.asked == 1


def test_a_new_key_is_fetched_when_it_is_first_seen(who, auth, signer, clock):
    """Rotation needs no restart."""
    new = Signer("key-2")
    who(signer.token())
    auth.publish(signer, new)
    clock.now += REFETCH_SECONDS

    assert who(new.token())[0].status_code == 200
    assert who(signer.token())[0].status_code == 200
    assert auth.asked == 2


def test_unknown_keys_ask_auth_once_in_ten_seconds(who, auth, signer, clock):
    """A thousand forgeries must not become a thousand calls."""
    who(signer.token())
    for _ in range(5):
        assert who(Signer("forged").token())[1]["code"] == "token_invalid"
    assert auth.asked == 1
    clock.now += REFETCH_SECONDS
    for _ in range(5):
        who(Signer("forged").token())

    assert auth.asked == 2


def test_without_keys_and_without_auth_it_is_a_503(who, auth, signer):
    """It is not the token's fault: the client may try again."""
    auth.stop()
    answer, body = who(signer.token())

    assert (answer.status_code, body["code"]) == (503, "auth_unavailable")
    assert answer.headers["Retry-After"] == "1"


def test_it_recovers_when_auth_comes_back(who, auth, signer, clock):
    """One request in a second tries; the others fail at once."""
    good = auth.body
    auth.body = b"<html>not json</html>"
    assert who(signer.token())[0].status_code == 503
    auth.body = good
    assert who(signer.token())[0].status_code == 503
    clock.now += RETRY_SECONDS

    assert who(signer.token())[0].status_code == 200
    assert auth.asked == 2


def test_an_unknown_key_is_no_verdict_while_auth_is_away(who, auth, signer, clock):
    """It may be a new one: 503, and the keys that are known go on verifying."""
    who(signer.token())
    auth.stop()
    clock.now += REFETCH_SECONDS
    answers = [who(Signer("new").token()) for _ in range(3)]

    assert [(answer.status_code, body["code"]) for answer, body in answers] == [
        (503, "auth_unavailable")
    ] * 3
    assert {answer.headers["Retry-After"] for answer, _ in answers} == {"1"}
    assert who(signer.token())[0].status_code == 200


def test_a_new_key_is_taken_a_second_after_auth_is_back(who, auth, signer, clock):
    """Not ten: those are for forgeries, while auth answers."""
    new = Signer("new")
    good = auth.body
    who(signer.token())
    auth.body = b"nonsense"
    clock.now += REFETCH_SECONDS
    assert who(new.token())[0].status_code == 503
    auth.body = good
    auth.publish(signer, new)
    clock.now += RETRY_SECONDS

    assert who(new.token())[0].status_code == 200


def test_a_hung_auth_holds_one_thread(make_app, signer, clock):
    """The first waits for its time-out; whoever comes meanwhile and knows that auth failed does not."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/auth/api/v1/jwks"
        verifier = TokenVerifier(url, clock=clock)
        refused = []

        def refuse():
            with pytest.raises(Problem, match="auth_unavailable"):
                verifier.claims(signer.token())
            refused.append(time.monotonic())

        begun = time.monotonic()
        refuse()
        clock.now += RETRY_SECONDS
        waiting = threading.Thread(target=refuse)
        waiting.start()
        refuse()
        waiting.join(30)
    first, quick, slow = refused

    assert first - begun >= FETCH_TIMEOUT_SECONDS
    assert quick - first < FETCH_TIMEOUT_SECONDS <= slow - first


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"keys": []}', b'{"keys": [{"kty": "?"}]}', b"\xff"]
)
def test_an_answer_without_keys_is_as_good_as_none(who, auth, signer, body):
    """Whatever auth says, the service does not break."""
    auth.body = body

    assert who(signer.token())[0].status_code == 503


def test_many_threads_fetch_the_keys_once(who, auth, signer):
    """The first requests of an instance come at once."""
    answers = []
    token = signer.token()
    threads = [threading.Thread(target=lambda: answers.append(who(token)[0])) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [answer.status_code for answer in answers] == [200] * 16
    assert auth.asked == 1


def test_a_token_says_which_roles_and_which_session(signer):
    """What a service decides by."""
    verifier = TokenVerifier(lambda: {"keys": [signer.jwk]})
    token = signer.token(roles=["admin"], sid="session-1")

    caller = called_with(verifier, token)

    assert caller == Caller("account-1", frozenset({"admin"}), "session-1")
    assert caller.must_be("admin") is None


@pytest.mark.parametrize("roles", [None, [], "admin", {"admin": True}, ["customer"]])
def test_who_lacks_a_role_is_refused(signer, roles, capfd):
    """And it is told; a token of before there were roles has none, what is no list is none either."""
    caller = called_with(TokenVerifier(lambda: {"keys": [signer.jwk]}), signer.token(roles=roles))

    with pytest.raises(Problem) as refused:
        caller.must_be("admin")
    assert (refused.value.status, refused.value.code) == (403, "role_missing")
    assert "access_refused" in "".join(capfd.readouterr())


def called_with(verifier, token):
    """The caller, in a request with that token."""
    with Flask("asked").test_request_context(headers={"Authorization": f"Bearer {token}"}):
        return verifier.caller()


def test_a_key_that_was_taken_back_is_soon_not_trusted(who, auth, signer, clock):
    """Five minutes later, without any unknown key that would have made it look."""
    who(signer.token())
    auth.publish(Signer("key-2"))
    assert who(signer.token())[0].status_code == 200
    clock.now += KEYS_MAX_AGE_SECONDS

    assert who(signer.token())[1]["code"] == "token_invalid"
    assert auth.asked == 2


def test_a_key_published_before_it_signs_needs_no_second_look(who, auth, signer, clock):
    """Even when a forgery has just used up the look that ten seconds have."""
    new = Signer("key-2")
    who(signer.token())
    auth.publish(signer, new)
    clock.now += KEYS_MAX_AGE_SECONDS
    who(signer.token())
    who(Signer("forged").token())

    assert who(new.token())[0].status_code == 200
    assert auth.asked == 2


def test_old_keys_are_trusted_while_auth_is_away(who, auth, signer, clock):
    """A stopped auth stops nobody, and is asked once in ten seconds only."""
    who(signer.token())
    auth.body = b"<html>not json</html>"
    clock.now += KEYS_MAX_AGE_SECONDS
    again = [who(signer.token())[0].status_code for _ in range(5)]

    assert again == [200] * 5
    assert auth.asked == 2


def test_who_fetches_old_keys_anew_keeps_nobody_waiting(signer, clock):
    """While one request asks auth, the others go on with the keys that there are."""
    asked, answer = threading.Event(), threading.Event()

    def slow():
        if verifier._keys:
            asked.set()
            assert answer.wait(10)
        return {"keys": [signer.jwk]}

    verifier = TokenVerifier(slow, clock=clock)
    verifier.claims(signer.token())
    clock.now += KEYS_MAX_AGE_SECONDS
    waits = threading.Thread(target=verifier.claims, args=(signer.token(),))
    waits.start()
    assert asked.wait(10)

    assert verifier.claims(signer.token())["sub"] == "account-1"
    answer.set()
    waits.join(10)
