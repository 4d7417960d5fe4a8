"""Hash and check passwords with argon2id, at a bounded cost in memory.

A check costs the same whether the account exists or not, so that the time of an answer does not
tell who has an account. At most two hashes run at once; further callers wait for their turn, and
the instance's threads bound how many those are.
"""

import secrets
from threading import BoundedSemaphore

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

# OWASP's first choice of argon2id parameters (Password Storage Cheat Sheet): 19 MiB, 2 passes.
_MEMORY_KIB = 19_456
_PASSES = 2
_LANES = 1

# 2 x 19 MiB beside the 256 MiB that an instance may use.
_HASHES_AT_ONCE = 2


class Passwords:
    """Make and check password hashes. Safe to share among threads."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(
            time_cost=_PASSES,
            memory_cost=_MEMORY_KIB,
            parallelism=_LANES,
            type=Type.ID,
        )
        self._turns = BoundedSemaphore(_HASHES_AT_ONCE)
        self._nobodys_hash = self._hasher.hash(secrets.token_hex())

    def hash(self, password: str) -> str:
        """Return the encoded hash of a password: algorithm, parameters, salt and digest."""
        with self._turns:
            return self._hasher.hash(password)

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Say whether the password made the hash; no hash costs the same and never matches."""
        with self._turns:
            try:
                self._hasher.verify(password_hash or self._nobodys_hash, password)
            except VerifyMismatchError:
                return False
        return password_hash is not None
