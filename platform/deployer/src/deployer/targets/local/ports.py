"""Ports on loopback: free ones, and who holds one that isn't."""

from __future__ import annotations

import random
import socket

import psutil

LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> tuple[int, ...]:
    """Return ports that nothing listens on right now, chosen at random.

    They lie below the range that outgoing connections are given (from 32768 on Linux, 49152 on
    macOS): in the second until a program has started, under load, one of those would be taken.
    """
    chosen: list[int] = []
    while len(chosen) < count:
        port = random.randrange(20_000, 32_768)  # noqa: S311  # a port, not a secret
        if port not in chosen and _can_listen(port):
            chosen.append(port)
    return tuple(chosen)


def _can_listen(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_taken(port: int) -> bool:
    """Whether something listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def holder_of(port: int) -> psutil.Process | None:
    """Return the process that listens on the port, as far as we may see it."""
    for process in psutil.process_iter():
        try:
            connections = process.net_connections(kind="tcp")
        except (psutil.Error, OSError):
            continue
        for connection in connections:
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.laddr and connection.laddr.port == port:
                return process
    return None


def describe_holder(port: int) -> str:
    """Say in a few words what listens on the port."""
    process = holder_of(port)
    if process is None:
        return "a process of another user"
    try:
        return f"{process.name()} (process {process.pid}: {' '.join(process.cmdline())[:80]})"
    except psutil.Error:
        return f"process {process.pid}"
