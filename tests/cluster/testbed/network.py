"""The bridges and the one nftables table that pods and builds need, and their removal.

The table masquerades what pods and image builds send to the outside, and lets this machine reach the
Gateway `internal` at 127.0.0.1 too: Traefik's listener for it is on the bridge, where pods reach it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from .addresses import BRIDGE, DOCKER, DOCKER_BRIDGE, LOOPBACK, NODE, PODS, Ports
from .commands import run
from .failures import PartFailedError
from .packages import program

TABLE = "deployer_testbed"
MARK = "network"  # a file in the state folder: these are ours
PROXY_TABLES = (("ip", "kube-proxy"), ("ip6", "kube-proxy"))
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGE_FILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


def up(state: Path, ports: Ports) -> None:
    """Make the bridges and the table; remember the kernel's settings that are changed."""
    (state / MARK).touch()
    for path in (FORWARDING, BRIDGE_FILTER):
        if path.exists():
            (state / path.name).write_text(path.read_text())
            path.write_text("1")
    prefix = PODS.rpartition("/")[2]
    for bridge, address in ((BRIDGE, f"{NODE}/{prefix}"), (DOCKER_BRIDGE, DOCKER)):
        _ip("link", "add", bridge, "type", "bridge")
        _ip("address", "add", address, "dev", bridge)
        _ip("link", "set", bridge, "up")
    run(program("nft"), "-f", "-", stdin=_table(ports))


def down(state: Path) -> None:
    """Remove the bridges and tables, and put the kernel's settings back, where `up` made them.

    Another cluster on this machine may have some of the same names.
    """
    if not (state / MARK).exists():
        return
    for family, table in (("ip", TABLE), *PROXY_TABLES):
        with suppress(PartFailedError):
            run(program("nft"), "delete", "table", family, table)
    for bridge in (BRIDGE, DOCKER_BRIDGE):
        if bridge in _links():
            _ip("link", "delete", bridge)
    for path in (FORWARDING, BRIDGE_FILTER):
        before = state / path.name
        if before.exists():
            path.write_text(before.read_text())
            before.unlink()
    (state / MARK).unlink()


def leftovers() -> list[str]:
    """Return which bridges and tables there are."""
    tables = run(program("nft"), "list", "tables").splitlines()
    ours = {f"table {family} {table}" for family, table in (("ip", TABLE), *PROXY_TABLES)}
    bridges = [name for name in (BRIDGE, DOCKER_BRIDGE) if name in _links()]
    return [*(ours & set(tables)), *bridges]


def _ip(*arguments: str) -> str:
    return run(program("ip"), *arguments)


def _links() -> set[str]:
    return {link["ifname"] for link in json.loads(_ip("-json", "link", "show"))}


def _table(ports: Ports) -> str:
    masquerade = "\n".join(
        f"ip saddr {source} ip daddr != {{ 10.244.0.0/16, 10.96.0.0/16 }} oifname != {bridge} masquerade"
        for source, bridge in ((PODS, BRIDGE), ("10.245.0.0/24", DOCKER_BRIDGE))
    )
    return f"""
table ip {TABLE} {{
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        {masquerade}
    }}
    chain output {{
        type nat hook output priority -100;
        ip daddr {LOOPBACK} tcp dport {ports.internal} dnat to {NODE}:{ports.internal}
    }}
}}
"""
