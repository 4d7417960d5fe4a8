"""The record of one rollout: a ConfigMap that each append changes, as a value.

`Record` is what the ConfigMap says; `appended` makes the next value, `difference` the merge patch
between two. Nothing here asks the cluster for anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from deployer.cluster import Object, annotation, metadata
from deployer.ledger.cluster.blocks import is_full, pack_entries, unpack_entries
from deployer.ledger.cluster.index import FENCE
from deployer.ledger.protocol import Entry

PARTS, ANSWERED = "deployer/parts", "deployer/answered"
# Every append has etcd write the whole object: small enough for that once a second, and an eighth of
# what a ConfigMap may hold, so that one event with a long log still fits.
RECORD_BYTES = 131_072

Blocks = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A rollout's ConfigMap: its version, whose it is, the packed blocks, and the last one's events.

    `parts` names the ConfigMaps that hold the events before those, `answered` the wishes that an
    event has answered, `headline` is the last event's.
    """

    version: str
    fence: int
    parts: tuple[str, ...] = ()
    answered: frozenset[int] = frozenset()
    blocks: Blocks = ()
    tail: tuple[Entry, ...] = ()
    headline: str = ""

    @property
    def overflows(self) -> bool:
        """Whether all blocks but the last should go elsewhere before another event is added."""
        return len(self.blocks) > 1 and sum(len(text) for _, text in self.blocks) > RECORD_BYTES

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The events that this ConfigMap itself holds."""
        return entries_of(self.blocks)

    def appended(self, entry: Entry, answers: Iterable[int]) -> Record:
        """Return the record with one more event."""
        begins = not self.blocks or is_full(self.tail)
        tail = (entry,) if begins else (*self.tail, entry)
        number = int(self.blocks[-1][0]) + begins if self.blocks else 0
        kept = self.blocks if begins else self.blocks[:-1]
        return replace(
            self,
            answered=self.answered | frozenset(answers),
            blocks=(*kept, (f"{number:06}", pack_entries(tail))),
            tail=tail,
            headline=entry.headline,
        )

    def moved(self, part: str) -> Record:
        """Return the record once all blocks but the last are in a part."""
        return replace(self, parts=(*self.parts, part), blocks=self.blocks[-1:])


def record_of(found: Object) -> Record:
    """Return what a ConfigMap says."""
    blocks = blocks_of(found)
    answered = annotation(found, ANSWERED) or ""
    return Record(
        version=str(metadata(found)["resourceVersion"]),
        fence=int(annotation(found, FENCE) or 0),
        parts=tuple((annotation(found, PARTS) or "").split()),
        answered=frozenset(int(number) for number in answered.split()),
        blocks=blocks,
        tail=unpack_entries(blocks[-1][1]) if blocks else (),
        headline=(found.get("data") or {}).get("headline", ""),
    )


def blocks_of(found: Object) -> Blocks:
    """Return the blocks of a ConfigMap in their order."""
    return tuple(sorted((found.get("binaryData") or {}).items()))


def entries_of(blocks: Blocks) -> tuple[Entry, ...]:
    """Return the events of blocks."""
    return tuple(entry for _, text in blocks for entry in unpack_entries(text))


def difference(before: Record, after: Record) -> Object:
    """Return the merge patch that makes one record of the other, if nobody else has changed it."""
    had, has = dict(before.blocks), dict(after.blocks)
    blocks: dict[str, str | None] = {key: None for key in had if key not in has}
    blocks |= {key: text for key, text in has.items() if had.get(key) != text}
    patch: Object = {
        "metadata": {"resourceVersion": before.version, "annotations": _annotations(after)}
    }
    if blocks:
        patch["binaryData"] = blocks
    if after.headline != before.headline:
        patch["data"] = {"headline": after.headline}
    return patch


def _annotations(record: Record) -> dict[str, str]:
    return {
        FENCE: str(record.fence),
        PARTS: " ".join(record.parts),
        ANSWERED: " ".join(str(number) for number in sorted(record.answered)),
    }
