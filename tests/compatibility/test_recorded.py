"""Clients of the first release: their calls are answered as they were then."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from compatibility.recording import RECORDED, Exchange, exchanges, missing

from deployer.commands.context import Context

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def now(stack: Context) -> tuple[Exchange, ...]:
    return exchanges(stack)


def numbered(found: Sequence[Exchange]) -> dict[tuple[str, int], Exchange]:
    """Key the exchanges by call and how often it was made before: some are made with two bodies."""
    counts: Counter[str] = Counter()
    keyed = {}
    for each in found:
        keyed[each.call, counts[each.call]] = each
        counts[each.call] += 1
    return keyed


@pytest.mark.parametrize("path", sorted(RECORDED.glob("*.json")), ids=lambda path: path.stem)
def test_recorded_calls_are_answered_as_before(now: tuple[Exchange, ...], path: Path):
    """The same status, the same media type, and nothing that a client could have read is gone."""
    before = [Exchange(**row) for row in json.loads(path.read_text())]
    answered = numbered(now)

    assert len(before) >= 20
    for key, each in numbered(before).items():
        found = answered[key]
        assert (found.status, found.content_type) == (each.status, each.content_type), each.call
        assert missing(each.body, found.body) == [], each.call


def test_a_lost_field_a_changed_kind_and_an_emptied_list_are_seen():
    """The negative control: the comparison finds what breaks a client."""
    before = {"id": 1, "name": "tea", "items": [{"price": "1.50"}]}

    assert missing(before, {"id": 1, "items": [{"price": "1.50"}]}) == ["body.name is gone"]
    assert missing(before, {**before, "id": "1"}) == ["body.id was number, is text"]
    assert missing(before, {**before, "items": []}) == ["body.items is empty"]
    assert missing(before, {**before, "items": [{"price": 1.5}]}) == [
        "body.items[0].price was text, is number"
    ]
    assert missing(before, {**before, "description": "new"}) == []
