"""Clients that were written for v1 when a release was new: their calls are answered as that release's own code did."""

import json
from dataclasses import replace

import pytest
from user_calls import RECORDED, Answer, Call, play

pytestmark = pytest.mark.integration

# What later releases added to v1's answers; nothing else may differ by a byte.
LATER = {
    "1.0.0": {"given_name", "family_name", "language"},
    "1.1.0": {"language"},
}


def without_what_came_later(answer, later):
    """The answer's body without those fields, in the bytes that Flask makes of it."""
    if answer.status != 200:
        return answer
    body = {key: value for key, value in json.loads(answer.body).items() if key not in later}
    return replace(answer, body=json.dumps(body, separators=(",", ":"), sort_keys=True) + "\n")


def test_there_is_a_recording_of_each_release_that_had_v1_alone():
    """An empty folder would replay nothing."""
    assert {path.stem for path in RECORDED.iterdir()} == set(LATER)


@pytest.mark.parametrize("release", sorted(LATER))
def test_what_a_release_answered_is_answered_still(client, issuer, release):
    """By status, media type, challenge and body, byte for byte but for ids and dates."""
    rows = json.loads((RECORDED / f"{release}.json").read_text(encoding="utf-8"))
    before = [Answer(**row["answer"]) for row in rows]
    now = [play(client, issuer, Call(**row["call"])) for row in rows]

    assert len(before) >= 35
    assert before == [without_what_came_later(answer, LATER[release]) for answer in now]


def test_a_changed_byte_is_seen(client, issuer):
    """The negative control: the same calls at v2 are not answered as at v1."""
    rows = json.loads((RECORDED / "1.1.0.json").read_text(encoding="utf-8"))
    calls = [Call(**row["call"]) for row in rows]
    moved = [replace(call, path=call.path.replace("v1", "v2")) for call in calls]
    now = [play(client, issuer, call) for call in moved]

    assert [Answer(**row["answer"]) for row in rows] != [
        without_what_came_later(answer, LATER["1.1.0"]) for answer in now
    ]
