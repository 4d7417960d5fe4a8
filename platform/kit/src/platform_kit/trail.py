"""The audit trail: who did what, from where, and whether they were let. Lines of the log, marked with `audit`.

They are written at every log level: who turns the log down must not lose them. Never a token, a password or a
key: what is told is a subject's id.
"""

from __future__ import annotations

from typing import Literal

from platform_kit.addresses import client_address

Outcome = Literal["done", "refused"]


def audit(event: str, *, subject: str | None, outcome: Outcome, **details: str | int) -> None:
    """Write down an event in the past tense, such as `login_failed`; no subject is one that nobody knows."""
    import structlog  # noqa: PLC0415 - only the worker logs through it

    unfiltered = structlog.make_filtering_bound_logger(0)
    log = structlog.wrap_logger(None, wrapper_class=unfiltered)
    log.info(
        event, audit=True, subject=subject, client=client_address(), outcome=outcome, **details
    )
