"""Cursors: where a page ends, as a text that clients hand back and do not read.

It holds what was shown last and some bytes that follow from that. So what is cut off, mistyped or of another list is told from
a cursor. It is no secret: whoever makes one up learns nothing by it.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b


class Cursors:
    """The cursors of one kind of list."""

    def __init__(self, kind: bytes, *, named_bytes: int, check_bytes: int) -> None:
        """Take a name that no other kind has, and sizes that are a multiple of three together: then there is no padding."""
        self._kind = kind
        self._named_bytes = named_bytes
        self._check_bytes = check_bytes
        self._text = re.compile(f"[A-Za-z0-9_-]{{{(named_bytes + check_bytes) * 4 // 3}}}")

    def after(self, named: bytes, *, of: bytes = b"") -> str:
        """Return the cursor of the page that begins after what these bytes name, in the list of something."""
        return urlsafe_b64encode(named + self._check(named, of)).decode("ascii")

    def named(self, cursor: str, *, of: bytes = b"") -> bytes | None:
        """Return what a cursor of that list names, None if it is none."""
        if not self._text.fullmatch(cursor):
            return None
        raw = urlsafe_b64decode(cursor)
        named, check = raw[: self._named_bytes], raw[self._named_bytes :]
        return named if check == self._check(named, of) else None

    def _check(self, named: bytes, of: bytes) -> bytes:
        return blake2b(named + of, digest_size=self._check_bytes, person=self._kind).digest()
