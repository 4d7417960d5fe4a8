"""The cluster that all tests with the marker `cluster` share: it comes up once, and goes at the end."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# The builders beside the tests, and those of the deployer's own: the same claims are made of both.
sys.path[:0] = [str(TESTS), str(TESTS.parents[1] / "platform" / "deployer" / "tests")]

from testbed import Cluster, MachineUnfitError, down, leftovers, up
from testbed.folders import Folders, cache


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A Kubernetes cluster with a registry and a Gateway controller; see `testbed`."""
    # A short path: a Unix socket's may have 107 characters at most.
    folders = Folders(cache(), Path(tempfile.mkdtemp(prefix="testbed-")))
    atexit.register(down, folders)  # also when the session is interrupted as the cluster comes up
    try:
        yield up(folders)
    except MachineUnfitError as reason:
        pytest.skip(str(reason))
    finally:
        down(folders)
        shutil.rmtree(folders.state, ignore_errors=True)
    assert leftovers(folders) == []
