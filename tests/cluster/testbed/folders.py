"""Where things are: the cache that outlives a cluster, and the state that goes with it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).parents[1] / "tools"
MANIFESTS = Path(__file__).parent / "manifests"


def cache() -> Path:
    """Return the folder of tools and images, outside every checkout."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "deployer" / "testbed"


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of one cluster."""

    cache: Path
    state: Path

    @classmethod
    def by_hand(cls) -> Folders:
        """Return the folders of the cluster that is started at the command line, and left there."""
        return cls(cache(), cache() / "run")

    @classmethod
    def of_tests(cls) -> Folders:
        """Return the folders of the cluster that a run of the tests makes.

        Always the same: a run that was killed leaves its cluster, and the next one removes it.
        """
        return cls(cache(), cache() / "tests")

    @property
    def bin(self) -> Path:
        """The tools that were built."""
        return self.cache / "bin"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's way in."""
        return self.state / "kubeconfig"

    def within(self, *names: str) -> Path:
        """Return a folder of the state, made when it is not there."""
        folder = self.state.joinpath(*names)
        folder.mkdir(parents=True, exist_ok=True)
        return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file's lock: one builder at a time, the others wait and then find it done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
