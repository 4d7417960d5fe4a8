"""Which services may call a route: off, observed, or required.

Beside the router, which keeps such routes from the outside: this one also knows who calls from the inside. It is switched on
in three steps, so that old and new instances run side by side. Off asks nothing, and needs no auth. Observe asks and lets
everybody pass: what it would refuse is counted and logged, and when that is nobody any more, required refuses it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from platform_kit import deadline
from platform_kit.api.consumer import SERVICE_PREFIX
from platform_kit.logs import logger
from platform_kit.problems import Problem
from platform_kit.tokens import TokenVerifier
from platform_kit.trail import audit

if TYPE_CHECKING:
    from platform_kit.dependency import Dependency

# auth's word for the tokens that it gives to services.
AUDIENCE = "services"
# A caller waits two seconds. To observe must not cost it its answer while auth's keys do not come.
OBSERVE_SECONDS = 0.2

# What a route that is for services only may refuse: for its operation's `refusals`.
REFUSALS: Mapping[int, Sequence[str]] = {
    401: ("token_expired", "token_invalid", "token_missing"),
    403: ("service_not_admitted",),
    503: ("auth_unavailable",),
}

log = logger(__name__)


class Mode(StrEnum):
    """How strict it is."""

    OFF = "off"
    OBSERVE = "observe"
    REQUIRED = "required"


class Outcome(StrEnum):
    """What came of a call."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    TOLERATED = "tolerated"  # observed: required would refuse it
    UNVERIFIED = "unverified"  # auth's keys could not be fetched


class ServiceNotAdmitted(Problem):
    """The token is good, and says that another service calls."""

    def __init__(self, subject: str) -> None:
        super().__init__(403, "service_not_admitted", "This service is not one that may do this.")
        self.subject = subject  # for the audit trail


class Admission:
    """Lets in the services that a route names. One for all threads."""

    def __init__(self, mode: Mode, verifier: TokenVerifier | None) -> None:
        """Take what verifies tokens of the audience `services`; where the mode is off nothing has to."""
        self._mode = mode
        self._verifier = verifier
        self._lock = threading.Lock()
        self._outcomes: Counter[Outcome] = Counter(dict.fromkeys(Outcome, 0))

    @classmethod
    def by_keys_at(cls, router_url: str, mode: Mode) -> Admission:
        """Return one that verifies tokens by auth's keys, which are asked for where they are needed."""
        if mode is Mode.OFF:
            return cls(mode, None)
        keys = f"{router_url.rstrip('/')}/auth/api/v1/jwks"
        return cls(mode, TokenVerifier(keys, audience=AUDIENCE))

    @property
    def dependencies(self) -> tuple[Dependency, ...]:
        """What `/metrics` shows of it: auth, where it is asked at all."""
        return self._verifier.dependencies if self._verifier else ()

    def admit(self, *services: str) -> None:
        """Let the current request pass if it is one of these services'; raise a 401, 403 or 503 `Problem`."""
        if self._verifier is None:
            return
        subjects = frozenset(f"{SERVICE_PREFIX}{service}" for service in services)
        if self._mode is Mode.REQUIRED:
            self._require(self._verifier, subjects)
        elif self._mode is Mode.OBSERVE:
            with deadline.within(OBSERVE_SECONDS):
                self._observe(self._verifier, subjects)

    def outcomes(self) -> dict[Outcome, int]:
        """Return how often each outcome has been."""
        with self._lock:
            return dict(self._outcomes)

    def metrics(self, identity: Mapping[str, str]) -> Collector:
        """Return what `/metrics` shows of it."""
        return AdmissionMetrics(identity, self)

    def _observe(self, verifier: TokenVerifier, subjects: frozenset[str]) -> None:
        problem = self._judge(verifier, subjects, refused=Outcome.TOLERATED)
        if problem and _is_refusal(problem):
            log.warning("service_call_tolerated", reason=problem.code)

    def _require(self, verifier: TokenVerifier, subjects: frozenset[str]) -> None:
        problem = self._judge(verifier, subjects, refused=Outcome.REFUSED)
        if problem is None:
            return
        if _is_refusal(problem):
            who = problem.subject if isinstance(problem, ServiceNotAdmitted) else None
            audit("service_call_refused", subject=who, outcome="refused", reason=problem.code)
        raise problem

    def _judge(
        self, verifier: TokenVerifier, subjects: frozenset[str], *, refused: Outcome
    ) -> Problem | None:
        """Count what comes of the call, and return why it is not one of these services', None if it is."""
        found, outcome = None, Outcome.ADMITTED
        try:
            subject = verifier.subject()
            if subject not in subjects:
                raise ServiceNotAdmitted(subject)
        except Problem as problem:
            found, outcome = problem, refused if _is_refusal(problem) else Outcome.UNVERIFIED
        with self._lock:
            self._outcomes[outcome] += 1
        return found


class AdmissionMetrics(Collector):
    """Reads what came of the calls."""

    def __init__(self, identity: Mapping[str, str], admission: Admission) -> None:
        self._identity = identity
        self._admission = admission

    def collect(self) -> Iterator[Metric]:
        """Yield the counter; every outcome is there from the start."""
        calls = CounterMetricFamily(
            "service_calls",
            "Calls of routes that are for services only, by what came of them",
            labels=[*self._identity, "outcome"],
        )
        for outcome, number in self._admission.outcomes().items():
            calls.add_metric([*self._identity.values(), outcome], number)
        yield calls

    def describe(self) -> list[Metric]:
        """Return nothing: registering must not sample."""
        return []


def _is_refusal(problem: Problem) -> bool:
    return problem.status != 503
