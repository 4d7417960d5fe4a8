"""A flag, the service's set with it, and the file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from platform_kit.flags import BooleanFlag, FlagSet

sys.path.insert(0, str(Path(__file__).parent))  # for the module beside this one

from flag_files import boolean, content


@pytest.fixture
def listing() -> BooleanFlag:
    """The flag `new-listing`, off by default."""
    return boolean()


@pytest.fixture
def flags(listing: BooleanFlag) -> FlagSet:
    """The flags of a service that is not installed: nothing is shipped."""
    return FlagSet("nobody", listing)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write the flags' file in place, and return its path."""

    def write(**flags: object) -> Path:
        path = tmp_path / "flags.json"
        path.write_text(content(**flags))
        return path

    return write
