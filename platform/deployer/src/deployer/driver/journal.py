"""Orders and events as JSON, in and out of a ledger, and the state they lead to."""

from __future__ import annotations

from functools import cache

from pydantic import TypeAdapter

from deployer.engine import (
    AbortRequested,
    ContinueRequested,
    Done,
    Event,
    Failed,
    HurryRequested,
    Looked,
    Order,
    PauseRequested,
    PromoteRequested,
    Resumed,
    Rollout,
    replay,
)
from deployer.ledger import Entry, Header, Ledger

KINDS: dict[str, type[Event]] = {
    "done": Done,
    "failed": Failed,
    "looked": Looked,
    "abort-requested": AbortRequested,
    "promote-requested": PromoteRequested,
    "pause-requested": PauseRequested,
    "continue-requested": ContinueRequested,
    "hurry-requested": HurryRequested,
    "resumed": Resumed,
}
_NAMES = {kind: name for name, kind in KINDS.items()}


def encode(event: Event, headline: str) -> Entry:
    """Return an event as the ledger keeps it, with the headline of the state that it led to."""
    name = _NAMES[type(event)]
    return Entry(event.at, name, _event_adapter(name).dump_json(event).decode(), headline)


def decode(entry: Entry) -> Event:
    """Return an entry of the ledger as an event."""
    return _event_adapter(entry.kind).validate_json(entry.body)


def encode_order(order: Order) -> str:
    """Return an order as the ledger keeps it."""
    return _order_adapter().dump_json(order).decode()


def decode_order(text: str) -> Order:
    """Return an order from the ledger."""
    return _order_adapter().validate_json(text)


def read_rollout(ledger: Ledger, header: Header) -> Rollout:
    """Replay a rollout from its ledger."""
    events = (decode(entry) for entry in ledger.entries(header.service, header.id))
    return replay(decode_order(header.order), events)


@cache
def _event_adapter(name: str) -> TypeAdapter[Event]:
    return TypeAdapter(KINDS[name])


@cache
def _order_adapter() -> TypeAdapter[Order]:
    return TypeAdapter(Order)
