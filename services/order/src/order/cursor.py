"""Cursors: where a page of orders ends, as a text that clients hand back and do not read.

A cursor names the order that was shown last. Where that one stands among the customer's orders never changes, so pages
neither repeat nor skip one while orders are placed and cancelled.

Problem
    CursorInvalid   no page of this service has said that
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from uuid import UUID

from order.orders import OrderId
from platform_kit import Problem

# 16 bytes of the order's id and 5 that follow from them: 28 characters, and no padding. So what is cut off, mistyped or
# some other service's is told from a cursor. It is no secret: whoever makes one up learns nothing by it.
_CURSOR = re.compile(r"[A-Za-z0-9_-]{28}")
_CHECK_BYTES = 5


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
    named = order_id.bytes
    return urlsafe_b64encode(named + _check(named)).decode("ascii")


def order_before(cursor: str) -> OrderId:
    """Return the order after which a cursor's page begins; raise `CursorInvalid`."""
    if not _CURSOR.fullmatch(cursor):
        raise CursorInvalid
    raw = urlsafe_b64decode(cursor)
    named, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    if check != _check(named):
        raise CursorInvalid
    return OrderId(UUID(bytes=named))


def _check(named: bytes) -> bytes:
    return blake2b(named, digest_size=_CHECK_BYTES, person=b"order page").digest()
