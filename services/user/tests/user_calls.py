"""Records what a release of user answered to calls of v1, from its own code, so that later ones can be held against it.

As a program it takes a release's version from releases.toml: `python services/user/tests/user_calls.py 1.0.0` archives that
commit, migrates a database with its migrations, makes the calls below, and writes recorded/1.0.0.json beside this file.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"
# What is another one in every run.
CHANGING = (
    (r'("request_id": )"[^"]+"', r'\1"..."'),
    (r'("updated_at":)"[^"]+"', r'\1"..."'),
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a client: `subject` is whose token it has, None for none."""

    method: str
    path: str
    subject: str | None = None
    body: str | None = None
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, without what differs from run to run."""

    status: int
    content_type: str
    challenge: str | None
    body: str


PROFILE = "/api/v1/profile"
NAMES = (
    "Ada",
    "Ada Lovelace",
    "Augusta Ada King",
    "Ada  King",
    "  Ada ",
    "李小龍",
    "O'Neil",
    "x" * 100,
)
BAD_BODIES = (
    "{",
    "",
    "[]",
    "{}",
    '{"name": ""}',
    '{"name": "   "}',
    '{"name": 7}',
    '{"name": null}',
    '{"name": "two\\nlines"}',
    '{"name": "\\ud800"}',
    json.dumps({"name": "x" * 101}),
)
CALLS = (
    Call("GET", PROFILE),
    Call("PUT", PROFILE, body='{"name": "Ada"}'),
    Call("GET", PROFILE, "ada"),
    *(
        call
        for name in NAMES
        for call in (
            Call("PUT", PROFILE, "ada", json.dumps({"name": name})),
            Call("GET", PROFILE, "ada"),
        )
    ),
    Call("PUT", PROFILE, "ada", '{"name": "Ada", "pronouns": "she", "id": "bob"}'),
    *(Call("PUT", PROFILE, "ada", body) for body in BAD_BODIES),
    Call("PUT", PROFILE, "ada", "name=Ada", "application/x-www-form-urlencoded"),
    Call("GET", PROFILE, "ada"),
    Call("GET", PROFILE, "bob"),
    Call("DELETE", PROFILE, "ada"),
    Call("POST", PROFILE, "ada", "{}"),
    Call("GET", f"{PROFILE}/ada", "bob"),
    Call("GET", f"{PROFILE}?id=ada", "bob"),
    Call("GET", "/api/v1/nothing"),
)


def play(client, issuer, call):
    """Make the call at a client of Flask's."""
    headers = {}
    if call.subject is not None:
        headers["Authorization"] = f"Bearer {issuer.token(call.subject)}"
    sent = {} if call.body is None else {"data": call.body, "content_type": call.content_type}
    answer = client.open(call.path, method=call.method, headers=headers, **sent)
    body = answer.text
    for pattern, replacement in CHANGING:
        body = re.sub(pattern, replacement, body)
    return Answer(
        answer.status_code, answer.content_type, answer.headers.get("WWW-Authenticate"), body
    )


def inside():
    """Make the calls at the code that is found first, and print them with their answers."""
    from conftest import Issuer

    from user.app import create

    issuer = Issuer()
    os.environ["USER_ROUTER_URL"] = issuer.router_url
    client = create().test_client()
    rows = [{"call": asdict(call), "answer": asdict(play(client, issuer, call))} for call in CALLS]
    issuer.stop()
    sys.stdout.write(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    sys.path.append(str(HERE.parents[2] / "tests"))
    from compatibility.released import main

    main(__file__, inside)
