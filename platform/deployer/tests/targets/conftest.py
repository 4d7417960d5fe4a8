"""Two releases of product, built once a run, and one stack a module for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from checkouts import make_checkout
from slots import BLUE, GREEN, HOLDER, INTERNAL, PRODUCT, Stack

from deployer.environment import load_environment
from deployer.releases import Version
from deployer.targets.local import Builds, LocalTarget, scratch_tree
from deployer.workspace import Workspace


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, releases_folder: Path) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("target")
    root = make_checkout(folder / "checkout", folder)
    environment = load_environment(root / "environments", "local")
    builds = Builds(releases_folder)
    releases = []
    for version in (Version(1, 0, 0), Version(1, 1, 0)):
        with scratch_tree() as tree:
            releases.append(builds.build(Workspace(root).stage(PRODUCT, version, into=tree)))
    target = LocalTarget(folder / "state", environment, builds=builds, internal=lambda _: INTERNAL)
    target.postgres.up((PRODUCT,))
    target.router.up()
    target.migrate(releases[0], phase="expand")
    yield Stack(target, environment, *releases)
    target.down()
    assert not list(target.processes())


@pytest.fixture
def up(stack: Stack) -> Stack:
    """1.0.0 is live in blue with all the traffic; green is as the test before left it."""
    stack.target.postgres.up((PRODUCT,))
    stack.target.router.up()
    stack.scale(BLUE, stack.v1)
    stack.shift(BLUE, 100)
    stack.target.promote(PRODUCT, BLUE, standby_until=None, fence=HOLDER)
    return stack


@pytest.fixture
def live(up: Stack) -> Stack:
    """1.0.0 is live in blue with all the traffic; green is empty."""
    if up.record().green is not None:
        up.target.retire(PRODUCT, GREEN, fence=HOLDER)
    return up


@pytest.fixture
def both(up: Stack) -> Stack:
    """1.0.0 is live in blue; 1.1.0 is ready in green and has no traffic."""
    up.scale(GREEN, up.v2)
    return up
