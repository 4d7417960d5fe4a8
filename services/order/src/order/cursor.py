"""Cursors: where a page of orders ends, as a text that clients hand back and do not read.

A cursor names the order that was shown last. Where that one stands among the customer's orders never changes, so pages
neither repeat nor skip one while orders are placed and cancelled.

Problem
    CursorInvalid   no page of this service has said that
"""

from uuid import UUID

from order.orders import OrderId
from platform_kit import Problem
from platform_kit.cursors import Cursors

_CURSORS = Cursors(b"order page", named_bytes=16, check_bytes=5)


class CursorInvalid(Problem):
    """The cursor is none of this service's."""

    def __init__(self) -> None:
        super().__init__(
            400,
            "cursor_invalid",
            "This cursor is none that a page of orders has said; begin without one.",
        )


def cursor_after(order_id: OrderId) -> str:
    """Return the cursor of the page that begins after an order."""
    return _CURSORS.after(order_id.bytes)


def order_before(cursor: str) -> OrderId:
    """Return the order after which a cursor's page begins; raise `CursorInvalid`."""
    named = _CURSORS.named(cursor)
    if named is None:
        raise CursorInvalid
    return OrderId(UUID(bytes=named))
