"""The cluster that all tests with the marker `cluster` share: it comes up once, and goes at the end."""

from __future__ import annotations

import atexit
import secrets
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# The builders beside the tests, and those of the deployer's own: the same claims are made of both.
sys.path[:0] = [str(TESTS), str(TESTS.parents[1] / "platform" / "deployer" / "tests")]

from helm import CHARTS
from stage import dressed
from testbed import Cluster, MachineUnfitError, down, leftovers, up
from testbed import prepare as prepare_tools
from testbed.folders import Folders, locked

from deployer.commands.context import Context, open_context
from deployer.commands.rollback import rollback
from deployer.commands.up import up as bring_up


@pytest.fixture(scope="session", autouse=True)
def prepare() -> None:
    """What tests use without a cluster too: an API server by itself, Helm. Built the first time."""
    try:
        prepare_tools(Folders.of_tests())
    except MachineUnfitError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Kubernetes cluster with a registry and a Gateway controller; see `testbed`."""
    folders = Folders.of_tests()
    # Whoever ends a run that takes too long asks it to: that is an interruption, not an end.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with locked(folders.cache / "tests.lock"):
        atexit.register(down, folders)  # also when it is interrupted as the cluster comes up
        try:
            yield up(folders)
        except MachineUnfitError as reason:
            pytest.skip(str(reason))
        finally:
            down(folders)
            atexit.unregister(down)
    assert leftovers(folders) == []


@pytest.fixture(scope="session")
def equipped(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, and its programs and addresses in the environment of this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in cluster.environment.items():
            patch.setenv(name, value)
        yield cluster


@pytest.fixture(scope="session")
def stack(equipped: Cluster, clone: Path) -> Iterator[Context]:
    """All four services up in the cluster by their own charts, product and user at their first release."""
    from e2e.shop import FIRST

    dressed(clone, equipped)
    context = open_context(clone, "dev")
    namespaces = [context.target.names.namespace(each) for each in context.workspace.services]
    try:
        bring_up(context, FIRST)
        yield context
    finally:
        equipped.kubectl("delete", "namespace", "--ignore-not-found", *namespaces, seconds=180)
        equipped.run("helm", "uninstall", "postgresql", "environment", "-n", "platform-dev")


@pytest.fixture(scope="session")
def watcher(cluster: Cluster) -> str:
    """The watcher's image, by digest."""
    name = f"{cluster.registry}/deployer:t{secrets.token_hex(3)}"
    root = CHARTS.parent
    cluster.run(
        "docker", "build", "--quiet", "--file", f"{root}/platform/deployer/Dockerfile",
        "--tag", name, str(root), seconds=300,
    )  # fmt: skip
    cluster.run("docker", "push", "--quiet", name)
    digests = cluster.run(
        "docker", "image", "inspect", name, "--format", "{{index .RepoDigests 0}}"
    )
    return digests.strip()


@pytest.fixture(autouse=True)
def first_release_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test leaves live of product, also when it fails: the next one finds the first."""
    yield
    if "stack" not in request.fixturenames:
        return
    from e2e.shop import OLD, PRODUCT

    stack: Context = request.getfixturevalue("stack")
    live = stack.live(PRODUCT)
    if live is not None and live.version != str(OLD):
        rollback(stack, PRODUCT, to=OLD)
