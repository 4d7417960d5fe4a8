"""The record of releases: what it holds, and what makes it broken."""

from __future__ import annotations

import pytest

from deployer.errors import InputError
from deployer.releases import Recorded, Version, parse_record

GOOD = """
[[release]]
version = "1.0.0"
commit = "abc"

[[release]]
version = "1.1.0"
commit = "def"
"""


def test_the_record_lists_releases_oldest_first():
    """As they are written."""
    assert parse_record(GOOD, name="releases.toml") == (
        Recorded(Version(1, 0, 0), "abc"),
        Recorded(Version(1, 1, 0), "def"),
    )


def test_an_empty_record_is_fine():
    """A service that was never released has one."""
    assert parse_record("# nothing yet\n", name="releases.toml") == ()


@pytest.mark.parametrize(
    "text",
    [
        "[[release]\n",
        '[[release]]\nversion = "1.0.0"\n',
        'release = "1.0.0"\n',
        '[[release]]\nversion = "1.1.0"\ncommit = "a"\n[[release]]\nversion = "1.0.0"\ncommit = "b"\n',
    ],
)
def test_a_broken_record_is_named(text: str):
    """With the file and what it should look like."""
    with pytest.raises(InputError) as refused:
        parse_record(text, name="services/product/releases.toml")

    assert refused.value.code == "releases-broken"
    assert "services/product/releases.toml" in refused.value.cause
    assert "[[release]]" in refused.value.hint
