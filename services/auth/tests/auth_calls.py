"""Records what a release of auth answered to calls of v1, from its own code, so that later ones can be held against it.

As a program it takes a release's version from releases.toml: `python services/auth/tests/auth_calls.py 1.0.0` archives that
commit, migrates a database with its migrations, makes the calls below, and writes recorded/1.0.0.json beside this file.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"
# What is another one in every run.
CHANGING = (
    (r'("request_id": )"[^"]+"', r'\1"..."'),
    (r'("(?:id|access_token|refresh_token|kid|x)":)"[^"]+"', r'\1"..."'),
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a client."""

    method: str
    path: str
    body: str | None = None
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, without what differs from run to run."""

    status: int
    content_type: str
    challenge: str | None
    body: str


ACCOUNTS, TOKENS, KEYS = "/api/v1/accounts", "/api/v1/tokens", "/api/v1/jwks"
PASSWORD = "correct horse battery"
EMAILS = ("ada@example.test", "  Bob@Example.TEST ", "李@例え.test", "x'--@example.test", "a@b")
PASSWORDS = ("x" * 12, "ü" * 128, "  with spaces ", "tab\there or there")


def _credentials(email: object, password: object = PASSWORD, **more: object) -> str:
    return json.dumps({"email": email, "password": password, **more})


BAD_BODIES = (
    "{",
    "",
    "[]",
    "{}",
    "7",
    _credentials("ada"),
    _credentials("ada@"),
    _credentials("a@b@c"),
    _credentials("two words@example.test"),
    _credentials("ada@example.test\0"),
    _credentials("a" * 242 + "@example.test"),
    _credentials(None),
    _credentials(7),
    _credentials("new@example.test", "x" * 129),
    _credentials("new@example.test", None),
    _credentials("new@example.test", 123456789012),
    '{"email": "new@example.test", "password": "\\ud800"}',
)
CALLS = (
    Call("GET", KEYS),
    Call("POST", TOKENS, _credentials("ada@example.test")),
    *(
        call
        for email in EMAILS
        for call in (
            Call("POST", ACCOUNTS, _credentials(email)),
            Call("POST", ACCOUNTS, _credentials(email)),
            Call("POST", TOKENS, _credentials(email)),
        )
    ),
    *(
        call
        for number, password in enumerate(PASSWORDS)
        for call in (
            Call("POST", ACCOUNTS, _credentials(f"{number}@example.test", password)),
            Call("POST", TOKENS, _credentials(f"{number}@example.test", password)),
        )
    ),
    Call("POST", ACCOUNTS, _credentials("eve@example.test", locale="en", id="bob")),
    Call("POST", TOKENS, _credentials("ADA@EXAMPLE.TEST", grant_type="password")),
    Call("POST", TOKENS, _credentials("ada@example.test", PASSWORD.upper())),
    Call("POST", TOKENS, _credentials("ada@example.test", f" {PASSWORD}")),
    Call("POST", TOKENS, _credentials("ada@example.test", "")),
    Call("POST", ACCOUNTS, _credentials("new@example.test", "x" * 11)),
    *(Call("POST", path, body) for path in (ACCOUNTS, TOKENS) for body in BAD_BODIES),
    Call("POST", TOKENS, "email=ada", "application/x-www-form-urlencoded"),
    Call("GET", ACCOUNTS),
    Call("GET", TOKENS),
    Call("POST", KEYS, "{}"),
    Call("GET", "/api/v1/nothing"),
)


def play(client, call):
    """Make the call at a client of Flask's."""
    sent = {} if call.body is None else {"data": call.body, "content_type": call.content_type}
    answer = client.open(call.path, method=call.method, **sent)
    body = answer.text
    for pattern, replacement in CHANGING:
        body = re.sub(pattern, replacement, body)
    return Answer(
        answer.status_code, answer.content_type, answer.headers.get("WWW-Authenticate"), body
    )


def inside():
    """Make the calls at the code that is found first, and print them with their answers."""
    from auth.app import create

    client = create().test_client()
    rows = [{"call": asdict(call), "answer": asdict(play(client, call))} for call in CALLS]
    sys.stdout.write(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    sys.path.append(str(HERE.parents[2] / "tests"))
    from compatibility.released import main

    main(__file__, inside)
