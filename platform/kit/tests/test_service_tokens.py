"""A service's own tokens: fetched once, renewed beside the requests, and never in a log."""

import json
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from platform_kit import ServiceClient, ServiceTokens, ServiceUnreachable
from platform_kit.service_tokens import LEAST_LEFT_SECONDS, REPLACE_AFTER_SECONDS, RETRY_SECONDS

pytestmark = pytest.mark.integration

LASTS_SECONDS = 900
SECRET = secrets.token_urlsafe(32)


class Others:
    """Auth, and a product that answers what it is told to; both on one port, as behind a router."""

    def __init__(self):
        self.secret = SECRET
        self.made = 0
        self.answer = None  # instead of a token
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.trusted = None  # product's: the tokens that it takes, None for any
        self.shown = []
        self._lock = threading.Lock()
        others = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
                is_auth = self.path == "/auth/api/v1/service-tokens"
                status, said = others.grant(body) if is_auth else others.hear(self.headers)
                raw = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads, self.server.block_on_close = True, False
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def grant(self, body):
        self.may_answer.wait()
        if self.answer is not None:
            return self.answer
        if body != {"service": "order", "secret": self.secret}:
            return 401, {"code": "service_refused"}
        with self._lock:
            self.made += 1
            return 200, {"access_token": f"token-{self.made}", "expires_in": LASTS_SECONDS}

    def hear(self, headers):
        token = headers["Authorization"].removeprefix("Bearer ")
        self.shown.append(token)
        is_trusted = self.trusted is None or token in self.trusted
        return (200, {}) if is_trusted else (401, {"code": "token_invalid"})

    def stop(self):
        self.may_answer.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def others():
    others = Others()
    yield others
    others.stop()


@pytest.fixture
def tokens_by(others, clock):
    """Make the tokens of a service that has this secret, a text or a file."""
    made = []

    def make(secret):
        secret = SecretStr(secret) if isinstance(secret, str) else secret
        made.append(ServiceTokens(others.url, "order", secret, clock=clock))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def tokens(tokens_by):
    return tokens_by(SECRET)


@pytest.fixture
def product(others, tokens):
    client = ServiceClient(others.url, "product", tokens=tokens)
    yield client
    client.close()


def test_a_token_is_kept(tokens, others, clock):
    """Until two thirds of its time are over."""
    assert tokens.token() == "token-1"
    clock.now += LASTS_SECONDS * 0.66

    assert (tokens.token(), others.made) == ("token-1", 1)


def test_many_who_need_the_first_one_ask_for_one(tokens, others):
    """One fetch at a time; the others wait for it."""
    with ThreadPoolExecutor(6) as threads:
        got = list(threads.map(lambda _: tokens.token(), range(30)))

    assert (set(got), others.made) == ({"token-1"}, 1)


def test_nobody_waits_while_it_is_renewed(tokens, others, clock, eventually):
    """Auth hangs, and everybody goes on with the one there is. Then there is the next."""
    tokens.token()
    clock.now += LASTS_SECONDS * 0.7
    others.may_answer.clear()
    assert [tokens.token() for _ in range(10)] == ["token-1"] * 10
    others.may_answer.set()

    assert eventually(lambda: tokens.token() == "token-2")
    assert others.made == 2


def test_while_auth_fails_the_old_one_is_used_to_its_end(tokens, others, clock, eventually):
    """Not quite: a call that carries it takes its time. Then there is a 503 that says when to come again."""
    tokens.token()
    others.answer = (500, {})
    clock.now += LASTS_SECONDS - LEAST_LEFT_SECONDS - 1
    assert tokens.token() == "token-1"
    clock.now += 1
    with pytest.raises(ServiceUnreachable) as unreachable:
        eventually(lambda: tokens.token() != "token-1")
    assert unreachable.value.dependency == "auth"
    assert unreachable.value.retry_after_seconds == 1

    others.answer = None
    clock.now += RETRY_SECONDS
    assert eventually(lambda: tokens.token() == "token-2")


def test_a_failing_auth_is_not_asked_for_every_request(tokens, others):
    """Once a second; the others are told at once."""
    others.answer = (403, {})
    for _ in range(5):
        with pytest.raises(ServiceUnreachable, match="the answer is a 403"):
            tokens.token()

    assert tokens.dependency.outcomes()["answered"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<h1>Hello</h1>"),
        (200, {}),
        (200, {"access_token": "leaked-token\r\nX-Evil: 1", "expires_in": 900}),
        (200, {"access_token": "leaked-token", "expires_in": 0}),
        (200, {"access_token": "", "expires_in": 900}),
    ],
)
def test_what_is_no_token_is_none(tokens, others, answer, capfd):
    """And is not written down either."""
    others.answer = answer
    with pytest.raises(ServiceUnreachable, match="the answer is no token"):
        tokens.token()

    assert "leaked-token" not in "".join(capfd.readouterr())


def test_a_wrong_secret_is_said_without_saying_it(tokens_by, capfd):
    """Neither in the error nor in the log."""
    wrong = secrets.token_urlsafe(32)
    with pytest.raises(ServiceUnreachable, match="does not know the service") as unreachable:
        tokens_by(wrong).token()

    log = "".join(capfd.readouterr())
    assert "service_token_not_fetched" in log
    assert wrong not in f"{log}{unreachable.value!r}"


def test_a_rotated_secret_in_a_file_is_picked_up(tokens_by, others, clock, tmp_path, eventually):
    """At the next renewal; between the two the token that there is holds."""
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    tokens = tokens_by(file)
    tokens.token()
    others.secret = secrets.token_urlsafe(32)
    clock.now += LASTS_SECONDS * 0.7
    assert tokens.token() == "token-1"
    file.write_text(f"{others.secret}\n")

    assert eventually(lambda: a_second_later(clock, tokens) == "token-2")


def a_second_later(clock, tokens):
    """The token of then."""
    clock.now += RETRY_SECONDS
    return tokens.token()


def test_a_file_that_is_missing_is_named(tokens_by, tmp_path):
    """It may come: it is looked for again."""
    with pytest.raises(ServiceUnreachable, match="no-such-file"):
        tokens_by(tmp_path / "no-such-file").token()


def test_each_call_says_who_makes_it(product, others):
    """With the token of the moment."""
    assert product.request("POST", "events", json={}).status_code == 200
    assert others.shown == ["token-1"]


def test_a_token_that_is_refused_is_replaced_once(product, others, clock):
    """Auth threw its keys away: the call is made again with another one."""
    product.request("POST", "events", json={})
    others.trusted = {"token-2"}
    clock.now += REPLACE_AFTER_SECONDS

    assert product.request("POST", "events", json={}).status_code == 200
    assert others.shown == ["token-1", "token-1", "token-2"]


def test_a_new_token_that_is_refused_is_not_replaced_for_every_call(product, others):
    """Whoever refuses all of them must not become a load on auth."""
    others.trusted = set()
    statuses = [product.request("POST", "events", json={}).status_code for _ in range(5)]

    assert (statuses, others.made) == ([401] * 5, 1)


def test_without_a_token_nothing_is_sent(product, others):
    """The error is auth's."""
    others.answer = (500, {})
    with pytest.raises(ServiceUnreachable) as unreachable:
        product.request("POST", "events", json={})

    assert (unreachable.value.dependency, others.shown) == ("auth", [])
