"""Start, stop or show the cluster that is left running: `python -m testbed up|down|status`."""

from __future__ import annotations

import argparse
import json
import sys

from . import cluster
from .failures import TestbedError
from .folders import Folders, locked
from .report import timed


def main() -> int:
    """Do what is asked and return the exit code."""
    parser = argparse.ArgumentParser(prog="testbed", description=__doc__)
    parser.add_argument("what", choices=("up", "down", "status"))
    what = parser.parse_args().what
    folders = Folders.by_hand()
    try:
        if what == "up":
            cluster.up(folders)
        elif what == "down":
            with timed("going down"), locked(folders.cache / "tests.lock"):
                cluster.down(folders)
                cluster.down(Folders.of_tests())  # what a run that was killed has left
        if what != "down":
            sys.stdout.write(json.dumps(cluster.status(folders), indent=2) + "\n")
    except TestbedError as failure:
        sys.stderr.write(f"testbed: {failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
