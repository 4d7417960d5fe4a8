"""A rollout's ConfigMap as a value: blocks, what is changed by an append, and what overflows."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deployer.ledger import Entry
from deployer.ledger.cluster.blocks import BLOCK_BYTES, BLOCK_ENTRIES, is_full
from deployer.ledger.cluster.index import KEPT, KEPT_WHOLE, Index
from deployer.ledger.cluster.record import RECORD_BYTES, Record, difference, record_of
from deployer.model import RolloutId

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ENTRIES = st.builds(Entry, st.floats(0, 2e9), TEXTS, TEXTS, TEXTS)


def patched(found: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Return what the API server makes of a merge patch (RFC 7386)."""
    merged = dict(found)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = patched(merged.get(key) or {}, value)
        else:
            merged[key] = value
    return merged


@given(st.lists(ENTRIES, max_size=150), st.sets(st.integers(1, 99)))
def test_what_is_appended_is_read_back_from_the_patches(entries, answers):
    """Whatever is in the events: the cluster's object says what our value says."""
    record = Record("1", 3)
    found = {"metadata": {"resourceVersion": "1", "annotations": {"deployer/fence": "3"}}}
    for entry in entries:
        after = record.appended(entry, answers)
        found, record = patched(found, difference(record, after)), after
    read = record_of(found)

    assert read.entries == tuple(entries)
    assert replace(read, version="1") == record
    assert read.answered == (frozenset(answers) if entries else frozenset())


def test_an_append_sends_one_block():
    """What was written before is not sent again, once its block is full."""
    record = Record("1", 1)
    for number in range(BLOCK_ENTRIES + 1):
        before, record = record, record.appended(Entry(float(number), "looked", "{}", "x"), ())

    assert [len(blocks) for blocks in (before.blocks, record.blocks)] == [1, 2]
    assert set(difference(before, record)["binaryData"]) == {"000001"}


def test_a_block_is_full_by_number_or_by_size():
    """A long log takes a block by itself."""
    entry = Entry(1.0, "done", "{}", "")

    assert not is_full([entry] * (BLOCK_ENTRIES - 1))
    assert is_full([entry] * BLOCK_ENTRIES)
    assert is_full([replace(entry, body="x" * BLOCK_BYTES)])


def test_a_record_that_overflows_gives_all_blocks_but_the_last_away():
    """The patch takes them out, and names the part that has them."""
    record = Record("1", 1)
    while not record.overflows:
        record = record.appended(Entry(1.0, "done", os.urandom(BLOCK_BYTES).hex(), ""), ())
    lighter = record.moved("rollout-000001-2.1")
    patch = difference(record, lighter)

    assert sum(len(text) for _, text in record.blocks) > RECORD_BYTES
    assert lighter.blocks == record.blocks[-1:]
    assert patch["binaryData"] == {key: None for key, _ in record.blocks[:-1]}
    assert patch["metadata"]["annotations"]["deployer/parts"] == "rollout-000001-2.1"
    assert not lighter.overflows


@given(st.integers(1, KEPT + 50))
def test_the_list_keeps_a_few_whole_and_more_in_a_line(rollouts):
    """The newest first, numbers without a gap, and none reduced that was not said to be outdated."""
    index, dropped = Index(), set[int]()
    for number in range(rollouts):
        dropped |= {row.id for row in index.outdated}
        index = index.begun("{}", now=float(number))
        number_of = RolloutId(index.rows[0].id)
        index = index.finished(number_of, "promoted", headline="end", now=float(number))
    reduced = {row.id for row in index.rows if not row.whole}

    assert [row.id for row in index.rows] == list(range(rollouts, max(0, rollouts - KEPT), -1))
    assert sum(row.whole for row in index.rows) == min(rollouts, KEPT_WHOLE)
    assert reduced <= dropped
    assert index.unfinished == ()
