"""Who holds a lease: a process, by a name that tells whether it still runs.

The name is `host:pid:start`. The host carries a mark of the machine and its process table: two
containers, or two machines of a fleet, may bear one host name, and a process number says something
only where it was given out.
"""

from __future__ import annotations

import hashlib
import os
import platform
import uuid
from functools import cache
from pathlib import Path

import psutil

LEASE_SECONDS = 10.0  # four missed heartbeats of two seconds, and some


def this_holder() -> str:
    """Return the name of this process as a lease holder: `host:pid:start`."""
    started = psutil.Process().create_time()
    return f"{_host()}:{os.getpid()}:{started:.2f}"


def holder_is_gone(holder: str) -> bool:
    """Whether the holder is known to be dead: a process of this machine that no longer runs."""
    host, pid, started = holder.rsplit(":", 2)
    if host != _host():
        return False
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" != started
    except psutil.NoSuchProcess:
        return True


@cache
def _host() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        place = f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # no Linux: the hardware has a number
        place = str(uuid.getnode())
    return f"{platform.node()}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
