"""What a look finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from deployer.errors import DeployerError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    ok: bool
    text: str
    hint: str = ""


def unwell(subject: str, error: DeployerError) -> Finding:
    """Return an error as a finding."""
    return Finding(subject, ok=False, text=error.cause, hint=error.hint)


def looked(subject: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Give what a look finds; an error in the middle of it is a finding too, and ends that look."""
    try:
        yield from look()
    except DeployerError as error:
        yield unwell(subject, error)
