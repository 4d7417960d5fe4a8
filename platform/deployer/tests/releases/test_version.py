"""Versions: read, written, ordered, and as a wheel has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version as PythonVersion

from deployer.errors import InputError
from deployer.releases import Version

numbers = st.integers(0, 50)
versions = st.one_of(
    st.builds(Version, numbers, numbers, numbers),
    st.builds(
        Version, numbers, numbers, numbers, st.sampled_from(["dev", "alpha", "beta", "rc"]), numbers
    ),
)


@given(versions)
def test_a_version_reads_as_it_writes(version: Version):
    """Text and value are the same thing."""
    assert Version.parse(str(version)) == version


@given(versions, versions)
def test_wheels_are_ordered_as_versions_are(one: Version, other: Version):
    """The one function that maps SemVer to PEP 440 keeps the order."""
    assert (one < other) == (PythonVersion(one.python) < PythonVersion(other.python))


@given(versions)
def test_no_version_holds_a_plus(version: Version):
    """An image tag may not."""
    assert "+" not in str(version)


@pytest.mark.parametrize(
    "text", ["1.2", "v1.2.3", "1.2.3+build", "01.2.3", "1.2.3-", "1.2.3-nightly.1", "latest", ""]
)
def test_what_is_no_version_is_refused_with_an_example(text: str):
    """The hint shows one that is right."""
    with pytest.raises(InputError) as refused:
        Version.parse(text)

    assert refused.value.code == "version-not-semver"
    assert refused.value.exit_code == 2
    assert repr(text) in refused.value.cause
    assert "1.4.0" in refused.value.hint


def test_a_changed_tree_builds_the_next_patch_in_development():
    """It sorts after what it came from and before what it will become."""
    version = Version.parse("1.4.0").next_development(3)

    assert str(version) == "1.4.1-dev.3"
    assert Version.parse("1.4.0") < version < Version.parse("1.4.1")
