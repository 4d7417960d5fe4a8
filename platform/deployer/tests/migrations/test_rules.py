"""The rules and their reference page."""

from __future__ import annotations

from corpus import cases
from rules_page import PAGE, page

from deployer.migrations.rules import BY_NAME, RULES


def test_the_page_is_what_the_rules_say():
    """`python platform/deployer/tests/migrations/rules_page.py` writes it anew."""
    assert PAGE.read_text() == page()


def test_every_rule_is_found_somewhere_in_the_corpus():
    """None that nothing triggers, and no name twice."""
    assert {case.rule for case in cases() if case.rule} == set(BY_NAME)
    assert len(BY_NAME) == len(RULES)


def test_every_rule_says_why_and_what_instead():
    """In sentences and for a row of the union."""
    for rule in RULES:
        assert rule.why.endswith(".")
        assert rule.instead
        assert rule.rows


def test_every_helper_that_a_rule_names_is_one_of_the_kits():
    """What is written as one word with underscores is a helper, a setting, or a tool."""
    import re

    import platform_kit.migrations as kit

    words = {word for rule in RULES for word in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", rule.instead)}
    others = {"application_name", "lock_timeout", "pg_repack", "platform_kit"}
    assert words - others <= set(dir(kit))
    assert len(words - others) > 15
