"""The registry at localhost: Debian's, over plain HTTP, which containerd and Docker both accept."""

from __future__ import annotations

import yaml

from .addresses import LOOPBACK, Ports
from .commands import run, wait_for
from .folders import Folders
from .packages import program
from .parts import Parts


def up(folders: Folders, parts: Parts, ports: Ports) -> str:
    """Start the registry over the state's storage; return its name, as images are called by."""
    storage = folders.within("registry", "storage")
    configuration = folders.state / "registry" / "config.yaml"
    configuration.write_text(
        yaml.safe_dump(
            {
                "version": 0.1,
                "log": {"level": "warn", "accesslog": {"disabled": True}},
                "storage": {
                    "filesystem": {"rootdirectory": str(storage)},
                    "delete": {"enabled": True},
                },
                "http": {"addr": f"{LOOPBACK}:{ports.registry}"},
            }
        )
    )
    parts.start("registry", program("docker-registry"), "serve", configuration)
    name = f"localhost:{ports.registry}"
    wait_for(
        lambda: (
            run("curl", "-fsS", "-m", "2", f"http://{LOOPBACK}:{ports.registry}/v2/") is not None
        ),
        "the registry",
        seconds=20,
        while_=lambda: parts.require("registry"),
    )
    return name
