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
