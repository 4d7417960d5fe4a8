"""How long the command line takes to answer, beside an interpreter that does nothing.

Whole processes, in turn, after one warm-up each. `status --json` looks at a running environment: call
it with one up (`deployer up`). Prints one JSON object; times in seconds.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 11
DEPLOYER = str(Path(sys.executable).with_name("deployer"))
COMMANDS = {
    "help": (DEPLOYER, "--help"),
    "status": (DEPLOYER, "status", "--json"),
    "interpreter": (sys.executable, "-c", "pass"),
}
GOALS = {"help": 0.3, "status": 0.6}


def timed(command: tuple[str, ...]) -> float:
    """Return how long a command takes from start to exit."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Measure every command in turn, RUNS times."""
    for command in COMMANDS.values():
        timed(command)
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, command in COMMANDS.items():
            times[name].append(timed(command))
    figures = {
        name: {
            "min": round(min(each), 3),
            "median": round(statistics.median(each), 3),
            "max": round(max(each), 3),
            "goal": GOALS.get(name),
        }
        for name, each in times.items()
    }
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    print(json.dumps({"runs": RUNS, **figures, **machine}, indent=2))


if __name__ == "__main__":
    main()
