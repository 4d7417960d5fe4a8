"""A flag as a target: what a release's share of the traffic is, is here the share of callers with a variant.

So a flag goes out by the same engine as a release: the same steps, the same verdicts, the same way back. Its
service stays as it is: nothing is started, stopped or routed.
"""

from __future__ import annotations

from collections.abc import Callable

from deployer.flags import Flags
from deployer.metrics import MetricsSource, VariantSource
from deployer.model import Fence, Release, ServiceName, Slot
from deployer.targets.protocol import FailedRequest, Interrupted, Place, Situation


class Exposure:
    """A Target whose share is that of one variant of a flag; `flags_of` reads what is in force."""

    def __init__(
        self, place: Place, flag: str, variant: str, *, flags_of: Callable[[ServiceName], Flags]
    ) -> None:
        self._place = place
        self._flag = flag
        self._variant = variant
        self._flags_of = flags_of

    def migrate(self, release: Release, *, phase: str) -> tuple[str, ...]:
        """Do nothing: no schema changes with a flag."""
        del release, phase
        return ()

    def scale(
        self,
        slot: Slot,
        release: Release,
        instances: int,
        *,
        fence: Fence,
        interrupted: Interrupted,
    ) -> None:
        """Do nothing: both arms are served by the same instances."""

    def smoke(self, slot: Slot, release: Release) -> None:
        """Do nothing: nothing has been started."""

    def shift(self, service: ServiceName, slot: Slot, weight: int, *, fence: Fence) -> None:
        """Give the variant to that share of the callers, and see at the instances that they do."""
        del slot
        flags = self._flags_of(service).with_share(self._flag, self._variant, weight)
        self._place.put_flags(service, flags, fence=fence)

    def promote(
        self, service: ServiceName, slot: Slot, *, standby_until: float | None, fence: Fence
    ) -> None:
        """Do nothing: the share says it all."""

    def retire(self, service: ServiceName, slot: Slot, *, fence: Fence) -> None:
        """Do nothing: there is no old slot."""

    def failing_requests(
        self, slot: Slot, release: Release, *, since: float, limit: int
    ) -> tuple[FailedRequest, ...]:
        """Return those of the live release: the instances are its."""
        return self._place.failing_requests(slot, release, since=since, limit=limit)

    def situation(self, service: ServiceName, *, ask: bool = True) -> Situation:
        """Look at the service."""
        return self._place.situation(service, ask=ask)

    def tend(self, service: ServiceName) -> tuple[str, ...]:
        """Put right what somebody else changed by hand at the service."""
        return self._place.tend(service)

    def metrics(self, service: ServiceName, candidate: Slot) -> MetricsSource:
        """Return a source that reads both arms."""
        del candidate
        return VariantSource(self._flag, self._variant, lambda: self._place.pages(service))
