"""The arms of a flag, as instances count them: totals that never fall and never guess."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from deployer.metrics import Page, Told, VariantSource, counts_by_variant, digest_on, expiry_by_flag
from deployer.metrics.counts import Counts

WHO = 'service="user",version="1.2.0",slot="blue"'


def line(variant: str, number: int, *, status: str = "2xx", flag: str = "listing") -> str:
    return f'flag_requests_total{{{WHO},flag="{flag}",variant="{variant}",status="{status}"}} {number}.0\n'


def slow(variant: str, number: int) -> str:
    return f'flag_requests_slow_total{{{WHO},flag="listing",variant="{variant}"}} {number}.0\n'


def began(at: float) -> str:
    return f"process_start_time_seconds{{{WHO}}} {at}\n"


class Pages:
    """The pages of some instances; each read gets those that were put last."""

    def __init__(self) -> None:
        self.put: dict[str, Page] = {}

    def __call__(self) -> Mapping[str, Page]:
        return self.put


def answered(text: str) -> Page:
    return Page(Told.ANSWERED, text)


def test_requests_are_told_apart_by_variant() -> None:
    """Answers by class, and the slow ones, of this flag only."""
    page = (
        line("on", 90) + line("on", 7, status="5xx") + line("on", 3, status="4xx") + slow("on", 2)
        + line("off", 900) + line("on", 5, flag="other")
    )  # fmt: skip

    assert counts_by_variant(page, "listing") == {
        "on": Counts(requests=100, failed=7, slow=2, refused=3),
        "off": Counts(requests=900),
    }


def test_only_what_came_since_the_first_look_counts() -> None:
    """Over all instances, each from itself; all other variants are one arm."""
    pages = Pages()
    source = VariantSource("listing", "on", pages)
    pages.put = {"a": answered(line("on", 10)), "b": answered(line("off", 20))}
    source.read()
    pages.put = {
        "a": answered(line("on", 15) + line("(default)", 2)),
        "b": answered(line("off", 24) + line("on", 1, status="5xx")),
    }
    reading = source.read()

    assert reading.reachable
    assert reading.candidate == Counts(requests=6, failed=1)
    assert reading.live == Counts(requests=6)


def test_an_instance_that_begins_again_counts_all_it_has() -> None:
    """It was restarted; a number that happens to be higher is no continuation."""
    pages = Pages()
    source = VariantSource("listing", "on", pages)
    pages.put = {"a": answered(began(100.0) + line("on", 10))}
    source.read()
    pages.put = {"a": answered(began(200.0) + line("on", 12))}

    assert source.read().candidate == Counts(requests=12)


def test_an_instance_that_is_down_makes_nobody_blind() -> None:
    """The others tell; it may be the flag that has brought it down."""
    pages = Pages()
    source = VariantSource("listing", "on", pages)
    pages.put = {"a": answered(line("on", 10)), "b": Page(Told.DOWN)}

    assert source.read().reachable


def test_what_cannot_be_seen_makes_a_blind_reading() -> None:
    """An instance behind an API server that is away, or no instance at all."""
    pages = Pages()
    source = VariantSource("listing", "on", pages)
    pages.put = {"a": answered(line("on", 10)), "b": Page(Told.UNSEEN)}
    behind = source.read()
    pages.put = {}

    assert not behind.reachable
    assert not source.read().reachable


def test_an_instance_says_which_file_it_decides_by() -> None:
    """One without flags says nothing."""
    page = f'flag_file_info{{{WHO},digest="0123456789ab"}} 1.0\n'

    assert digest_on(page) == "0123456789ab"
    assert digest_on(line("on", 1)) is None


def test_an_instance_says_by_when_its_flags_were_to_be_gone() -> None:
    """As its code declares it."""
    page = f'flag_info{{{WHO},flag="listing",owner="shop",expires="2027-03-01"}} 1.0\n'

    assert expiry_by_flag(page) == {"listing": date(2027, 3, 1)}
