"""The whole stack on this machine, from a clone of this checkout, on ports that are free."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from deployer.commands.context import Context, open_context
from deployer.commands.demo.story import Customer, stories
from deployer.commands.demo.traffic import Traffic
from deployer.commands.up import down, up
from deployer.targets.local.ports import free_ports

sys.path.insert(0, str(Path(__file__).parent))  # the builders beside the tests, by name

REPOSITORY = Path(__file__).parents[1]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ("git", *arguments), cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with its history, what is not committed yet laid over it, and its own ports."""
    root = tmp_path_factory.mktemp("stack") / "clone"
    git(REPOSITORY, "clone", "--quiet", "--local", ".", str(root))
    for name in git(REPOSITORY, "ls-files", "-mo", "--exclude-standard", "-z").split("\0"):
        if name and (REPOSITORY / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, root / name)
    path = root / "environments" / "local.toml"
    text = path.read_text()
    for name, port in zip(("public", "internal", "admin"), free_ports(3), strict=True):
        text = re.sub(rf"^{name} = \d+", f"{name} = {port}", text, flags=re.MULTILINE)
    path.write_text(text)
    return root


@pytest.fixture(scope="session")
def stack(clone: Path) -> Iterator[Context]:
    """All four services up, product and user at their first release."""
    from e2e.shop import FIRST

    context = open_context(clone, "local")
    try:
        up(context, FIRST)
        yield context
    finally:
        down(context)
    assert not list(context.target.processes())


@pytest.fixture(scope="session")
def customer(stack: Context) -> Customer:
    """Somebody who has played every service's story: registered, logged in, stocked and bought."""
    somebody = Customer(stack.target.public_url, stack.target.internal_url)
    with urllib3.PoolManager(retries=False, timeout=10.0) as http:
        for story in stories(stack.workspace):
            for step in story.steps:
                somebody.play(step, http)
    return somebody


@pytest.fixture
def short(stack: Context) -> Iterator[Context]:
    """The stack under a canary of two short steps."""
    from campaign.policy import SHORT, policy

    with policy(stack, **SHORT) as context:
        yield context


@pytest.fixture
def busy(customer: Customer) -> Iterator[Traffic]:
    """Enough traffic for verdicts, and little enough that a machine of two cores has time left."""
    from campaign.passages import clients

    with clients(customer, per_second=120.0, count=16) as traffic:
        yield traffic
