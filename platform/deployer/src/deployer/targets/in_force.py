"""Whether a flags' file has arrived: every instance says which one it decides by."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from deployer.errors import OperationError
from deployer.metrics import Page, Told, digest_on
from deployer.model import ServiceName

POLL_SECONDS = 0.05


def await_in_force(
    service: ServiceName, pages: Callable[[], Mapping[str, Page]], digest: str, *, seconds: float
) -> None:
    """Return when all instances that have flags say that the file with this digest is in force.

    Raises OperationError `flags-not-in-force` when that takes longer than `seconds`, and
    `flags-not-read` when no instance has flags at all.
    """
    deadline = time.monotonic() + seconds
    while True:
        told = [page for page in pages().values() if page.told is not Told.GONE]
        known = [digest_on(page.text) for page in told if page.told is Told.ANSWERED]
        having = [each for each in known if each is not None]
        if having and len(known) == len(told) and set(having) == {digest}:
            return
        if time.monotonic() > deadline:
            raise _late(service, having, digest, seconds)
        time.sleep(POLL_SECONDS)


def _late(service: ServiceName, having: list[str], digest: str, seconds: float) -> OperationError:
    if not having:
        return OperationError(
            "flags-not-read",
            f"no instance of {service} reads flags: its release has none",
            hint="declare the flag in the service's code, and roll that release out first",
        )
    late = sum(each != digest for each in having)
    return OperationError(
        "flags-not-in-force",
        f"{late} of {len(having)} instances of {service} do not decide by the new flags after {seconds:.0f} s",
        hint=f"their log says why: look for flags_refused in the log of {service}",
    )
