"""The arms of a flag: what requests came to that met one variant or another, as the instances count them.

The router can't tell them apart. Each instance counts for itself since it began, so a total is made of what
came in between, as with the replicas of a router.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import date

from deployer.metrics.counts import NO_COUNTS, Counts
from deployer.metrics.pages import Page, Told
from deployer.metrics.router import began_of, labels_of
from deployer.metrics.source import Reading
from deployer.metrics.totals import Running, Series, SlotTotals

Pages = Callable[[], Mapping[str, Page]]

_LINE = re.compile(
    r"^flag_requests_(?P<slow>slow_)?total\{(?P<labels>.*)\} (?P<value>\S+)", re.MULTILINE
)
_DECLARED = re.compile(r"^flag_info\{(?P<labels>.*)\} ", re.MULTILINE)
_INFO = re.compile(r'^flag_file_info\{(?:[^}]*,)?digest="(?P<digest>[^"]*)"', re.MULTILINE)


def counts_by_variant(page: str, flag: str) -> dict[str, Counts]:
    """Return an instance's running totals of the requests that met a flag, by the variant they got."""
    found: dict[str, Counts] = {}
    for line in _LINE.finditer(page):
        labels = dict(labels_of(line["labels"]))
        if labels.get("flag") == flag:
            number = int(float(line["value"]))
            before = found.get(labels["variant"], NO_COUNTS)
            found[labels["variant"]] = before + _counts(labels, number, slow=bool(line["slow"]))
    return found


def digest_on(page: str) -> str | None:
    """Return the digest of the flags' file that is in force in an instance, None when it has no flags."""
    match = _INFO.search(page)
    return match["digest"] if match else None


def expiry_by_flag(page: str) -> dict[str, date]:
    """Return the day by which each flag that an instance's code declares was to be gone."""
    found = {}
    for line in _DECLARED.finditer(page):
        labels = dict(labels_of(line["labels"]))
        found[labels["flag"]] = date.fromisoformat(labels["expires"])
    return found


class VariantSource:
    """A MetricsSource of one flag: those who get a variant are the candidate, all others are live."""

    def __init__(
        self, flag: str, variant: str, pages: Pages, *, now: Callable[[], float] = time.time
    ) -> None:
        self._flag = flag
        self._variant = variant
        self._pages = pages
        self._now = now
        self._with, self._without = SlotTotals(), SlotTotals()

    def read(self) -> Reading:
        """Return a reading of both arms. It is blind when no instance told, or one could not be seen."""
        at = self._now()
        pages = self._pages()
        told = {url: page.text for url, page in pages.items() if page.told is Told.ANSWERED}
        reachable = bool(told) and not any(page.told is Told.UNSEEN for page in pages.values())
        if reachable:
            arms = {url: self._arms(text) for url, text in told.items()}
            for number, totals in enumerate((self._with, self._without)):
                replicas = {url: both[number] for url, both in arms.items()}
                totals.after(replicas, at=at, slow_in_flight=0)
        return Reading(
            at=at,
            reachable=reachable,
            candidate=self._with.counts,
            live=self._without.counts,
        )

    def _arms(self, page: str) -> tuple[Running, Running]:
        """Return what an instance has counted of those with the variant, and of all others."""
        found, began = counts_by_variant(page, self._flag), began_of(page)
        others = (counts for variant, counts in found.items() if variant != self._variant)
        return (
            Running({self._flag: Series(found.get(self._variant, NO_COUNTS))}, began),
            Running({self._flag: Series(sum(others, NO_COUNTS))}, began),
        )


def _counts(labels: Mapping[str, str], number: int, *, slow: bool) -> Counts:
    if slow:
        return Counts(slow=number)
    status = labels.get("status", "")
    return Counts(
        requests=number,
        failed=number if status == "5xx" else 0,
        refused=number if status == "4xx" else 0,
    )
