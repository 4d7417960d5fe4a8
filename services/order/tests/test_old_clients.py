"""Clients that were written for v1 when a release was new: their calls are answered as that release's own code did."""

import json
from dataclasses import replace

import pytest
from order_calls import RECORDED, Answer, Call, Client

pytestmark = pytest.mark.integration

# What later releases added to v1's answers; nothing else may differ by a byte.
LATER = {
    "1.0.0": {"cancelled_at"},
    "1.1.0": {"cancelled_at"},
}


def rows(release):
    """The calls that were recorded, and their answers."""
    found = json.loads((RECORDED / f"{release}.json").read_text(encoding="utf-8"))
    return [Call(**row["call"]) for row in found], [Answer(**row["answer"]) for row in found]


def without_what_came_later(answer, later):
    """The answer's body without those fields, in the bytes that Flask makes of it."""
    if answer.status not in {200, 201}:
        return answer
    body = without(json.loads(answer.body), later)
    return replace(answer, body=json.dumps(body, separators=(",", ":"), sort_keys=True) + "\n")


def without(value, fields):
    """The value without the fields, however deep."""
    if isinstance(value, dict):
        return {key: without(each, fields) for key, each in value.items() if key not in fields}
    return [without(each, fields) for each in value] if isinstance(value, list) else value


def without_a_wait_for_product(calls, before):
    """The answers as they are since 1.2.0: a cancel with product down was 503, and the order `cancelling` until the next try."""
    (down,) = (number for number, call in enumerate(calls) if call.fault == "DELETE")
    cancelled = before[down + 2]
    assert '"cancelled"' in cancelled.body
    return [*before[:down], cancelled, cancelled, *before[down + 2 :]]


def test_there_is_a_recording_of_each_release_that_had_v1_alone():
    """An empty folder would replay nothing."""
    assert {path.stem for path in RECORDED.iterdir()} == set(LATER)


@pytest.mark.parametrize("release", sorted(LATER))
def test_what_a_release_answered_is_answered_still(app, router, release):
    """By status, media type, headers and body, byte for byte but for ids and dates."""
    calls, before = rows(release)
    client = Client(app.test_client(), router)
    now = [client.play(call) for call in calls]

    assert len(before) >= 65
    assert {200, 201, 400, 401, 404, 405, 409, 415, 422, 503} == {each.status for each in before}
    assert without_a_wait_for_product(calls, before) == [
        without_what_came_later(answer, LATER[release]) for answer in now
    ]


def test_a_changed_byte_is_seen(app, router):
    """The negative control: the same calls at v2 are not answered as at v1."""
    calls, before = rows("1.1.0")
    client = Client(app.test_client(), router)
    moved = [replace(call, path=call.path.replace("v1", "v2")) for call in calls]
    now = [client.play(call) for call in moved]

    assert without_a_wait_for_product(calls, before) != [
        without_what_came_later(answer, LATER["1.1.0"]) for answer in now
    ]
