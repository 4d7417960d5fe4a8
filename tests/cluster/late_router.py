"""The cluster's router, made to hear late of what changes: what Traefik does unless it is set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from testbed import router
from testbed.addresses import Ports
from testbed.folders import Folders
from testbed.parts import Parts

LATE = router.Times(provider="2s", gateway="50ms")  # the first is Traefik's default


@contextmanager
def late_router() -> Iterator[None]:
    """Start the tests' router anew, hearing of changes two seconds late; then again as it was."""
    folders, ports = Folders.of_tests(), Ports.from_environment()
    parts = Parts(folders.state)
    parts.stop(only="traefik")
    router.up(folders, parts, ports, times=LATE)
    try:
        yield
    finally:
        parts.stop(only="traefik")
        router.up(folders, parts, ports)
