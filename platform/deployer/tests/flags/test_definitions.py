"""A flags' file: shares are raised and lowered, all else stays as somebody wrote it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.errors import InputError
from deployer.flags import Flags, parse_flags

ON_OFF = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}
COLOURS = {"state": "ENABLED", "variants": {"red": "r", "blue": "b"}, "defaultVariant": "red"}


def flags_with(flag: dict[str, object], **others: object) -> Flags:
    return parse_flags(json.dumps({"flags": {"listing": {**flag, **others}}}), where="here")


def targeting(flags: Flags) -> object:
    return flags.tree["flags"]["listing"].get("targeting")


@given(percent=st.integers(0, 100))
def test_a_share_that_was_given_is_read_back(percent: int) -> None:
    """Whatever it is."""
    assert flags_with(ON_OFF).with_share("listing", "on", percent).share("listing", "on") == percent


@given(first=st.integers(0, 100), second=st.integers(0, 100))
def test_only_the_last_share_counts(first: int, second: int) -> None:
    """A file that was changed twice is as one that was changed once."""
    once = flags_with(ON_OFF).with_share("listing", "on", second)
    twice = (
        flags_with(ON_OFF).with_share("listing", "on", first).with_share("listing", "on", second)
    )

    assert twice == once


def test_rules_around_a_share_are_kept() -> None:
    """Testers have the variant before anybody else, and keep it."""
    rule = {
        "if": [{"==": [{"var": "tester"}, True]}, "on", {"fractional": [["on", 5], ["off", 95]]}]
    }
    raised = flags_with(ON_OFF, targeting=rule).with_share("listing", "on", 25)

    assert targeting(raised) == {
        "if": [
            {"==": [{"var": "tester"}, True]},
            "on",
            {"fractional": [["on", 25], ["off", 75]]},
        ]
    }
    assert raised.ruled("listing")


def test_what_callers_are_told_apart_by_is_kept() -> None:
    """Else everybody would be somewhere else after the change."""
    by_shop = {"cat": [{"var": "$flagd.flagKey"}, {"var": "shop"}]}
    rule = {"fractional": [by_shop, ["on", 5], ["off", 95]]}
    raised = flags_with(ON_OFF, targeting=rule).with_share("listing", "on", 25)

    assert targeting(raised) == {"fractional": [by_shop, ["on", 25], ["off", 75]]}


def test_a_flag_that_was_disabled_is_enabled_by_a_share() -> None:
    """A share of a flag that decides nothing would be none."""
    flags = flags_with(
        ON_OFF, state="DISABLED", targeting={"fractional": [["on", 50], ["off", 50]]}
    )

    assert flags.share("listing", "on") == 0
    assert flags.with_share("listing", "on", 10).share("listing", "on") == 10


@pytest.mark.parametrize(
    "rule",
    [
        {"if": [{"var": "tester"}, "on", "off"]},
        {"if": [{"var": "a"}, {"fractional": [["on"]]}, {"fractional": [["on"], ["off"]]}]},
    ],
    ids=["none", "two"],
)
def test_rules_without_one_place_for_a_share_are_left_alone(rule: dict[str, object]) -> None:
    """Which of them to change is for people to say."""
    with pytest.raises(InputError) as refused:
        flags_with(ON_OFF, targeting=rule).with_share("listing", "on", 10)

    assert refused.value.code == "flag-not-spread"


def test_the_variant_of_an_on_off_flag_is_known() -> None:
    """Of any other somebody has to name it."""
    assert flags_with(ON_OFF).treatment("listing") == "on"
    assert flags_with(COLOURS).treatment("listing", "blue") == "blue"


@pytest.mark.parametrize("variant", [None, "green", "red"], ids=["none", "unknown", "the default"])
def test_a_variant_that_cannot_go_out_is_refused(variant: str | None) -> None:
    """With those that can."""
    with pytest.raises(InputError) as refused:
        flags_with(COLOURS).treatment("listing", variant)

    assert refused.value.code == "variant-unknown"
    assert refused.value.hint == "say one of them: --variant blue"


def test_an_unknown_flag_is_refused_with_those_that_there_are() -> None:
    """By every question that names one."""
    with pytest.raises(InputError) as refused:
        flags_with(ON_OFF).with_share("other", "on", 10)

    assert refused.value.code == "flag-unknown"
    assert "listing" in refused.value.hint


def test_what_a_release_brings_does_not_change_what_is_there() -> None:
    """A new flag comes in as it was shipped, one that is out stays out."""
    there = flags_with(ON_OFF).with_share("listing", "on", 50)
    shipped = Flags({"flags": {"listing": ON_OFF, "other": COLOURS}})
    merged = there.merged(shipped)

    assert merged.share("listing", "on") == 50
    assert merged.keys == ("listing", "other")


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"flags": 1}', '{"flags": {"a": {}}}'],
    ids=["no JSON", "a list", "no flags", "a number", "no variants"],
)  # fmt: skip
def test_a_file_that_holds_no_flags_is_refused(text: str) -> None:
    """With what it should be."""
    with pytest.raises(InputError, match="here holds no flags") as refused:
        parse_flags(text, where="here")

    assert refused.value.code == "flags-invalid"
