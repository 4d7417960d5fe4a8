"""Who calls, in one word: what the calls of a version are counted by, so that it is known who still needs it.

A word is a label of a metric, so there may be only so many. Only a verified token says one: nobody outside can make any up.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any

from flask import g

# auth gives a service's token the subject `service:order`; a customer's is an account's id.
SERVICE_PREFIX = "service:"
CUSTOMER = "customer"
ANONYMOUS = "anonymous"
OTHER = "other"

# More services than any copy of this has. What comes after is counted as one.
MOST_SERVICES = 32

_SERVICE = re.compile(r"[a-z][a-z0-9-]{0,39}")


class Consumers:
    """Turns the current request's caller into a label; remembers which services it has seen."""

    def __init__(self, most_services: int = MOST_SERVICES) -> None:
        self._most = most_services
        self._services: set[str] = set()
        self._lock = threading.Lock()

    def label(self) -> str:
        """Return `anonymous`, `customer`, a service's name, or `other` once there are too many of those."""
        claims = verified_claims()
        if claims is None:
            return ANONYMOUS
        subject = str(claims["sub"])
        if not subject.startswith(SERVICE_PREFIX):
            return CUSTOMER
        return self._service(subject.removeprefix(SERVICE_PREFIX))

    def _service(self, name: str) -> str:
        if not _SERVICE.fullmatch(name):
            return OTHER
        with self._lock:
            if name not in self._services and len(self._services) >= self._most:
                return OTHER
            self._services.add(name)
        return name


def remember_claims(claims: Mapping[str, Any]) -> None:
    """Keep the claims of the token that was verified for the current request."""
    g.platform_claims = claims


def verified_claims() -> Mapping[str, Any] | None:
    """Return the claims of the current request's token, None when none was verified."""
    claims: Mapping[str, Any] | None = g.get("platform_claims")
    return claims
