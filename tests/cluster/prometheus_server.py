"""A Prometheus server of one test: Debian's program, its own data, on loopback, gone afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3
from polling import eventually


def program(scratch: Path) -> Path:
    """Return Prometheus: what is on PATH, or Debian's package unpacked (nothing is installed)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    cached = cache / "deployer" / "testbed" / "bin" / "prometheus"
    if found := shutil.which("prometheus") or shutil.which(cached):
        return Path(found)
    subprocess.run(("apt-get", "download", "prometheus"), cwd=scratch, check=True)
    (package,) = scratch.glob("prometheus_*.deb")
    subprocess.run(("dpkg", "--extract", package.name, "unpacked"), cwd=scratch, check=True)
    cached.parent.mkdir(parents=True, exist_ok=True)
    fresh = cached.with_suffix(f".{os.getpid()}")
    shutil.copy2(scratch / "unpacked" / "usr" / "bin" / "prometheus", fresh)
    fresh.replace(cached)
    return cached


@contextmanager
def serving(folder: Path, configuration: str) -> Iterator[str]:
    """Run a server with a configuration, and yield its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    (folder / "prometheus.yml").write_text(configuration)
    command = (
        str(program(folder)),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--log.level=error",
    )
    with subprocess.Popen(command) as process:
        try:
            assert eventually(lambda: _ready(f"http://{address}/-/ready"), seconds=30)
            yield f"http://{address}"
        finally:
            process.terminate()


def _ready(url: str) -> bool:
    try:
        return urllib3.request("GET", url, retries=False, timeout=1.0).status == 200
    except urllib3.exceptions.HTTPError:
        return False
