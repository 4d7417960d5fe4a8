"""Business outcomes: the pairs of attempts and successes that the instances of a slot export.

They come from the instances, so what one had counted after the last look and before it died is
lost, never guessed. A slot whose code does not export a pair (an older release) has no outcome of
that name: not seen, which is not the same as none succeeded.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

from deployer.metrics.source import Outcome

_LINE = re.compile(
    r"^business_(?P<which>attempts|successes)_total\{(?P<labels>.*)\} (?P<value>\S+)", re.MULTILINE
)
_NAME = re.compile(r'(?:^|,)name="(?P<name>[^"]*)"')


def outcomes_of(page: str) -> tuple[Outcome, ...]:
    """Return the pairs on an instance's page, by name. Half a pair is none."""
    found: dict[str, dict[str, int]] = {"attempts": {}, "successes": {}}
    for line in _LINE.finditer(page):
        if name := _NAME.search(line["labels"]):
            found[line["which"]][name["name"]] = int(float(line["value"]))
    attempts, successes = found["attempts"], found["successes"]
    both = sorted(attempts.keys() & successes.keys())
    return tuple(Outcome(name, attempts[name], successes[name]) for name in both)


class OutcomeTotals:
    """One slot's pairs since its instances were first looked at. They never fall."""

    def __init__(self) -> None:
        self._pages: dict[Hashable, dict[str, Outcome] | None] = {}
        self._totals: dict[str, Outcome] = {}
        self._begun = False

    def after(
        self, instances: Sequence[Hashable], pages: Sequence[tuple[Outcome, ...] | None]
    ) -> tuple[Outcome, ...]:
        """Return the totals after another look at the instances; None for one that told nothing.

        An instance is whatever names it.

        What an instance of the first look had counted by then is somebody else's. One that joins
        later has counted all it has since it began.
        """
        for instance, page in zip(instances, pages, strict=True):
            before = self._pages.setdefault(instance, {} if self._begun else None)
            if page is not None:
                self._pages[instance] = self._count(before, page)
        self._begun = True
        return self.told

    @property
    def told(self) -> tuple[Outcome, ...]:
        """The totals after the last look."""
        return tuple(self._totals[name] for name in sorted(self._totals))

    def _count(
        self, before: dict[str, Outcome] | None, page: tuple[Outcome, ...]
    ) -> dict[str, Outcome]:
        for outcome in page:
            nothing = Outcome(outcome.name)
            known = outcome if before is None else before.get(outcome.name, nothing)
            total = self._totals.get(outcome.name, nothing)
            self._totals[outcome.name] = total + outcome.since(known)
        return {outcome.name: outcome for outcome in page}
