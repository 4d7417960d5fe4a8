"""Retries: what may be asked twice, how long to pause, and how much of it all a dependency gets.

Own code instead of stamina, tenacity or httpx-retries, which loop and pause as well but know neither of the two bounds
that matter here: the request's deadline, and a budget that all threads share. Retries of every service on the way
multiply: three tries on three levels are 27 calls of an ailing one. So a dependency gets a tenth more calls by retries,
beyond a reserve for the first moments of a fault (https://finagle.github.io/blog/2016/02/08/retry-budgets/).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping

# With the first one. Beside an instance that fails there is usually one that does not, and the router hands the next
# call to another.
TRIES = 3
BUDGET_SHARE = 0.1
BUDGET_RESERVE = 20
# The first pause is up to this long and doubles: an instance that was replaced meanwhile is back in the router.
FIRST_PAUSE_SECONDS = 0.05

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def may_be_repeated(method: str, headers: Mapping[str, str], *, idempotent: bool) -> bool:
    """Say whether twice is as good as once: it only reads, carries an `Idempotency-Key`, or the caller says so."""
    named = {name.lower() for name in headers}
    return idempotent or method.upper() in SAFE_METHODS or "idempotency-key" in named


def pauses() -> Iterator[float]:
    """Yield the pause in seconds before each further try, all of it jitter: nobody retries in step."""
    for number in range(TRIES - 1):
        yield random.uniform(0, FIRST_PAUSE_SECONDS * 2**number)  # noqa: S311 - a die, not a secret


class RetryBudget:
    """What retries may cost. Every call pays a share of one in, a retry takes one out."""

    def __init__(self, *, share: float = BUDGET_SHARE, reserve: float = BUDGET_RESERVE) -> None:
        self._share = share
        self._reserve = reserve
        self._saved = reserve
        self._lock = threading.Lock()
        self.spent = 0
        self.refused = 0

    def pay_in(self) -> None:
        """Note a call that is no retry."""
        with self._lock:
            self._saved = min(self._reserve, self._saved + self._share)

    def take(self) -> bool:
        """Take a retry out, False if the budget is used up."""
        with self._lock:
            # The sum of ten tenths is a little less than 1.
            if self._saved < 1 - 1e-9:
                self.refused += 1
                return False
            self._saved -= 1
            self.spent += 1
            return True
