"""Cursors: where a page of a product's prices ends, as a text that clients hand back and do not read.

A cursor names the price that was shown last. Newer ones come before all pages, so none is repeated or skipped while prices
change.

Problem
    CursorInvalid   no page of this product's prices has said that
"""

from platform_kit import Problem
from platform_kit.cursors import Cursors
from product.prices import PriceNumber
from product.products import ProductId

_NUMBER_BYTES = 8
_CURSORS = Cursors(b"price page", named_bytes=_NUMBER_BYTES, check_bytes=7)


class CursorInvalid(Problem):
    """The cursor is none of this product's prices."""

    def __init__(self) -> None:
        super().__init__(
            400,
            "cursor_invalid",
            "This cursor is none that a page of this product's prices has said; begin without one.",
        )


def cursor_after(number: PriceNumber, *, of: ProductId) -> str:
    """Return the cursor of the page that begins after a price of the product."""
    return _CURSORS.after(number.to_bytes(_NUMBER_BYTES), of=_list(of))


def number_before(cursor: str, *, of: ProductId) -> PriceNumber:
    """Return the price after which a cursor's page begins; raise `CursorInvalid`."""
    named = _CURSORS.named(cursor, of=_list(of))
    if named is None:
        raise CursorInvalid
    return PriceNumber(int.from_bytes(named))


def _list(of: ProductId) -> bytes:
    return str(of).encode("ascii")
