"""A checkout of one service for the tests of the deployer: real code, real git, ports of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployer.commands import observer
from deployer.commands.context import Context, open_context
from deployer.commands.up import down, up

# The builders beside the tests (`checkouts.py`, `shop.py`, `engine/orders.py`) are imported by name.
sys.path.insert(0, str(Path(__file__).parent))

from checkouts import git, make_checkout, set_version  # noqa: F401  # also by the name conftest
from paper import Paper
from shopfront import Shop


@pytest.fixture(scope="session")
def releases_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds of all tests of a run: what one has built, the others find."""
    return tmp_path_factory.mktemp("releases")


@pytest.fixture
def checkout(tmp_path: Path, releases_folder: Path) -> Path:
    """A git checkout with the service product alone, at version 1.0.0, and ports that are free."""
    return make_checkout(tmp_path / "checkout", releases_folder)


@pytest.fixture
def context(checkout: Path) -> Iterator[Context]:
    """The checkout's local environment; whatever runs in it is stopped afterwards."""
    opened = open_context(checkout, "local")
    yield opened
    down(opened)
    assert not list(opened.target.processes())


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, releases_folder: Path) -> Iterator[Shop]:
    """One stack that is up for many scenarios: coming up takes longer than all of one of them."""
    opened = Shop(make_checkout(tmp_path_factory.mktemp("shop") / "checkout", releases_folder))
    try:
        up(opened.context)
        yield opened
    finally:
        opened.close()
    assert not list(opened.context.target.processes())


@pytest.fixture
def paper(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paper]:
    """An environment on paper: for what the commands decide, not for what the target does."""
    monkeypatch.setattr(observer, "SAMPLE_SECONDS", 0.0)  # there is no traffic to sample
    opened = Paper(checkout)
    yield opened
    opened.close()
