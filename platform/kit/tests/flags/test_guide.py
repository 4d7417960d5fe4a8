"""docs/guides/feature-flags.md: what it shows is what there is."""

import ast
import json
import re
from pathlib import Path

import pytest
from flag_files import boolean, defined, targeted

from platform_kit.flags.findings import FindingKind
from platform_kit.flags.rules import OPERATORS

ROOT = Path(__file__).parents[4]
GUIDE = (ROOT / "docs/guides/feature-flags.md").read_text(encoding="utf-8")

BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
RULES = [
    json.loads(rule)
    for rule in re.findall(r"^\| .* \| `(\{.*\})` \|$", GUIDE, re.MULTILINE)
]  # fmt: skip


def blocks(language):
    return [text for name, text in BLOCKS if name == language]


@pytest.mark.parametrize("text", blocks("python"))
def test_the_code_is_python(text):
    """The pieces that need what is around them too."""
    ast.parse(text)


@pytest.mark.parametrize("rule", RULES, ids=json.dumps)
def test_every_rule_of_the_table_decides(rule):
    """For somebody without any context."""
    assert defined(boolean(), targeted(rule)).on("ada") in (True, False)


def test_the_table_is_read():
    """Else the test before would say nothing."""
    assert len(RULES) == 6


def test_it_names_all_operators_and_all_findings():
    """Whoever adds one adds it there."""
    (operators,) = re.findall(r"^Operators: `([^`]+)`", GUIDE, re.MULTILINE)

    assert sorted(operators.split()) == sorted(OPERATORS)
    assert [kind for kind in FindingKind if f"`{kind}`" not in GUIDE] == []
