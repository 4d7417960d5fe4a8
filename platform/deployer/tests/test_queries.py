"""The table of queries and its page: neither is ahead of the other, and the examples are right."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from deployer.queries import PLACEHOLDERS, Queries, filled

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "metrics.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
NAMES = {"service": "product", "slot": "blue", "namespace": "product-dev", "release": "c0ffee"}


def test_the_page_has_a_line_for_every_query_and_no_other():
    """What a file may set is what the page says."""
    section = PAGE.partition("### The queries")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", section, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert named == set(Queries.model_fields)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_page_is_a_table(example: str):
    """It is accepted as it stands, and asks by slot."""
    queries = Queries.model_validate(tomllib.loads(example)["kubernetes"]["queries"])

    assert "{slot}" in queries.requests
    assert "{slot}" in queries.latency


def test_the_page_has_an_example_for_each_other_gateway():
    """Istio, Envoy Gateway, NGINX."""
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize("name", Queries.model_fields)
def test_a_default_is_filled_without_a_rest(name: str):
    """No placeholder is left, and PromQL's own braces are untouched."""
    text = str(getattr(Queries(), name))
    full = filled(text, NAMES)

    assert not any(f"{{{placeholder}}}" in full for placeholder in PLACEHOLDERS)
    assert full.count("{") == full.count("}")
    assert ("product-dev" in full) == ("{namespace}" in text)
