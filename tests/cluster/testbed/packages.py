"""Debian packages: what is missing is installed, and no service of theirs is started."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .commands import run
from .failures import PartFailedError
from .report import timed

# program: package. The programs are what is asked for; a machine may have them from elsewhere.
WANTED = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "dockerd": "docker.io",
    "docker": "docker.io",
    "docker-registry": "docker-registry",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "iptables": "iptables",  # kubelet and dockerd look for it
    "conntrack": "conntrack",
    "busybox": "busybox-static",
    "wrk": "wrk",
    "nice": "coreutils",
}
CNI = Path("/usr/lib/cni")
POLICY = Path("/usr/sbin/policy-rc.d")
DAEMONS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def program(name: str) -> str:
    """Return where a program is; daemons are not on every PATH."""
    found = shutil.which(name) or shutil.which(name, path=DAEMONS)
    if found is None:
        raise PartFailedError(f"{name} is not installed")
    return found


def install() -> None:
    """Install what is missing; with everything there, nothing is run."""
    missing = sorted({package for name, package in WANTED.items() if not _there(name)})
    if not (CNI / "bridge").exists():
        missing.append("containernetworking-plugins")
    if not missing:
        return
    with timed(f"installing {' '.join(missing)}"), _services_stay_down():
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq", environment=quiet)
        options = ("-qq", "-y", "--no-install-recommends")
        run("apt-get", "install", *options, *missing, environment=quiet)


def _there(name: str) -> bool:
    return bool(shutil.which(name) or shutil.which(name, path=DAEMONS))


@contextmanager
def _services_stay_down() -> Iterator[None]:
    """Debian starts a service as its package is installed, unless this program says no."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
