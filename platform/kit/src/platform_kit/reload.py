"""Serve anew whenever code changes: for development, on `PLATFORM_RELOAD=true`.

The instance is a process of its own, ended with its drain and started again. gunicorn's reloader would end the
worker alone, whose drain shuts the door that the master goes on holding. An instance that does not start, as with
half a line saved, leaves this process running: the next change is another try.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from threading import Event

# Between a save and a look: below what a person notices.
LOOK_SECONDS = 0.2
# A browser that goes on asking does not hold up what was saved: nobody takes its traffic elsewhere here.
DRAIN_SECONDS = 1

Snapshot = Mapping[Path, int]


def serve_reloading(service: str, folder: Path | None) -> int:
    """Serve until a signal says otherwise, and return the instance's exit code.

    With `folder` the packages are copied there first, unless they are there, and run from there: where the
    installed ones cannot be written to, that is where changed files go.
    """
    told = Event()
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, lambda *_: told.set())
    places = [_place(package, folder) for package in (service, "platform_kit")]
    while True:
        seen = _snapshot(places)
        instance = _start(service, folder)
        while not told.wait(LOOK_SECONDS) and _snapshot(places) == seen:
            pass
        instance.terminate()
        code = instance.wait()
        if told.is_set():
            return code


def _place(package: str, folder: Path | None) -> Path:
    spec = find_spec(package)
    (installed, *_) = (spec and spec.submodule_search_locations) or [package]
    if folder is None:
        return Path(installed)
    if not (folder / package).exists():  # else a restart would undo what was saved
        shutil.copytree(installed, folder / package)
    return folder / package


def _start(service: str, folder: Path | None) -> subprocess.Popen[bytes]:
    told = {"PLATFORM_RELOAD": "false", "PLATFORM_DRAIN_SECONDS": str(DRAIN_SECONDS)}
    environment = {**os.environ, **told}
    if folder is not None:
        path = (str(folder), os.environ.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    return subprocess.Popen(  # noqa: S603 - this very program
        [sys.executable, "-m", "platform_kit.serve", service], env=environment
    )


def _snapshot(places: list[Path]) -> Snapshot:
    found = {}
    for file in (file for place in places for file in place.rglob("*.py")):
        try:
            found[file] = file.stat().st_mtime_ns
        except FileNotFoundError:  # an editor replaces a file: the next look finds it
            continue
    return found
