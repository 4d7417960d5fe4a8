"""Clients that were written for v1 when a release was new: their calls are answered as that release's own code did."""

import json
from dataclasses import replace

import pytest
from auth_calls import RECORDED, Answer, Call, play

pytestmark = pytest.mark.integration

# What later releases added to v1's answers; nothing else may differ by a byte.
LATER = {"role", "refresh_token", "refresh_expires_in"}


def without_what_came_later(answer):
    """The answer's body without those fields, in the bytes that Flask makes of it."""
    if answer.status not in {200, 201}:
        return answer
    body = {key: value for key, value in json.loads(answer.body).items() if key not in LATER}
    return replace(answer, body=json.dumps(body, separators=(",", ":"), sort_keys=True) + "\n")


def recorded(release):
    """The calls of a release's recording, and its answers."""
    rows = json.loads((RECORDED / f"{release}.json").read_text(encoding="utf-8"))
    return [Call(**row["call"]) for row in rows], [Answer(**row["answer"]) for row in rows]


def test_what_the_first_release_answered_is_answered_still(client):
    """By status, media type, challenge and body, byte for byte but for ids, tokens and keys. 1.1.0 and 1.2.0 did so too."""
    calls, before = recorded("1.0.0")
    now = [without_what_came_later(play(client, call)) for call in calls]

    assert len(before) >= 60
    assert before == now


def test_a_changed_byte_is_seen(client):
    """The negative control: the same calls at v2 are not answered as at v1."""
    calls, before = recorded("1.0.0")
    moved = [replace(call, path=call.path.replace("v1", "v2")) for call in calls]
    now = [without_what_came_later(play(client, call)) for call in moved]

    assert before != now
