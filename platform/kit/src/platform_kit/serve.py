"""Serve one instance: `python -m platform_kit.serve order`.

gunicorn's master holds the port and watches over one worker, which alone imports the service. Scale is by
instances, not by workers, and configuration is frozen with a release: signals that would change either are refused.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import socket
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from platform_kit.errors import KitError, PortTaken, ServiceUnknown
from platform_kit.logs import gunicorn_logs
from platform_kit.reload import serve_reloading
from platform_kit.settings import InstanceSettings
from platform_kit.worker import DrainingWorker

# Longer than the router keeps an idle connection (30 s): it must be the one to close it.
KEEPALIVE_SECONDS = 120
# The worker ends by itself within the drain; after this much more the master ends it.
MARGIN_SECONDS = 2
# Shared memory: a heartbeat file on a slow disk can block the worker, and nothing is left on any disk.
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - gunicorn makes a private file in it and unlinks it


class ServiceApplication(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's view of a service."""

    def __init__(self, service: str, settings: InstanceSettings) -> None:
        self.service = service
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's settings from the instance's."""
        for name, value in gunicorn_settings(self.service, self.settings).items():
            self.cfg.set(name, value)

    def load(self) -> Any:  # noqa: ANN401 - a Flask app, which the master must not import
        """Make the app; called in the worker."""
        return import_module(f"{self.service}.app").create()


class InstanceArbiter(Arbiter):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's master, for exactly one worker."""

    def handle_int(self) -> None:
        """Drain, as on SIGTERM; a second Ctrl-C ends at once."""
        self.handle_term()

    def handle_hup(self) -> None:
        """Drain: a closed terminal is no reason to lose a request."""
        self.handle_term()

    def _refuse(self) -> None:
        self.log.warning("Ignored: an instance has one worker and one configuration")

    handle_ttin = handle_ttou = handle_usr2 = handle_winch = _refuse


def gunicorn_settings(service: str, settings: InstanceSettings) -> dict[str, Any]:
    """Return gunicorn's settings for an instance."""
    in_memory = os.access(SHARED_MEMORY, os.W_OK)
    return {
        "bind": f"{settings.host}:{settings.port}",
        "workers": 1,
        "worker_class": DrainingWorker,
        "threads": settings.threads,
        "keepalive": KEEPALIVE_SECONDS,
        "graceful_timeout": math.ceil(settings.drain_seconds) + MARGIN_SECONDS,
        "worker_tmp_dir": SHARED_MEMORY if in_memory else None,
        "control_socket_disable": True,  # it would open a socket under the home directory
        "accesslog": None,  # the kit logs requests
        "logconfig_dict": gunicorn_logs(service, settings),
        "proc_name": service,
        "pre_fork": _share_memory,
    }


def _share_memory(_arbiter: Arbiter, _worker: DrainingWorker) -> None:
    """Keep the worker's garbage collector off the master's objects: touching them would copy their pages (4 MB)."""
    gc.collect()
    gc.freeze()


def serve(service: str) -> None:
    """Serve until a signal says otherwise; raise `KitError` if the instance cannot start."""
    if not _installed(service):
        raise ServiceUnknown(service)
    settings = InstanceSettings.for_service(service)
    if settings.reload:
        sys.exit(serve_reloading(service, settings.reload_folder))
    _refuse_taken("PLATFORM_PORT", settings.host, settings.port)
    _refuse_taken("PLATFORM_ADMIN_PORT", settings.host, settings.admin_port)
    InstanceArbiter(ServiceApplication(service, settings)).run()


def main(arguments: list[str] | None = None) -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(prog="platform_kit.serve", description="Serve one instance.")
    parser.add_argument("service", help="the service's name, as of its package")
    try:
        serve(parser.parse_args(arguments).service)
    except KitError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)


def _installed(service: str) -> bool:
    """Look without importing: the service's code belongs to the worker."""
    if not service.isidentifier():
        return False
    spec = find_spec(service)
    places = (spec.submodule_search_locations or []) if spec else []
    return any(Path(place, "app.py").is_file() for place in places)


def _refuse_taken(variable: str, host: str, port: int) -> None:
    """Find out before gunicorn does: it would try for five seconds and not say what to do."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(variable, host=host, port=port) from error


if __name__ == "__main__":
    main()
