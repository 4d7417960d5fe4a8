"""A file system in memory, for what a cluster writes much of and nobody keeps: images and objects.

Pulling unpacks some ten thousand files, and etcd syncs every write; on a disk both take their time,
and so does deleting it all. A machine with little memory has it on its disk.
"""

from __future__ import annotations

from pathlib import Path

from .commands import run
from .packages import program

FOLDER = "memory"
WANTED_GIB = 12  # available: the cluster's processes and pods need 3, the tests some more
SIZE = "8g"  # seen: 1.5


def mount(state: Path) -> None:
    """Make the folder `memory` of a state; what unmounts all under the state unmounts it."""
    folder = state / FOLDER
    folder.mkdir(exist_ok=True)
    if _available_gib() >= WANTED_GIB:
        options = f"size={SIZE},mode=700"
        run(program("mount"), "-t", "tmpfs", "-o", options, "deployer-testbed", folder)


def _available_gib() -> float:
    lines = Path("/proc/meminfo").read_text().splitlines()
    (kib,) = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return int(kib) / 2**20
