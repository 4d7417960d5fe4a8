"""The node: containerd, kubelet and kube-proxy as processes of this machine, and what they leave.

Nothing of it touches the machine's own containerd, Docker or cgroups: roots, states, sockets, network
names and the cgroup are the cluster's own, and `remove` deletes just those.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path

import yaml

from .addresses import BRIDGE, LOOPBACK, NODE, PODS, Ports
from .certificates import Authority
from .commands import run, wait_for
from .control_plane import ControlPlane
from .failures import PartFailedError
from .folders import Folders
from .memory import FOLDER
from .packages import CNI, program
from .parts import Parts

NAME = "testbed"
CGROUPS = Path("/sys/fs/cgroup")
READY_SECONDS = 90  # seen: 10
NETWORK = "deployer-testbed"


class Node:
    """Runs the pods."""

    def __init__(self, folders: Folders, parts: Parts, ports: Ports, authority: Authority) -> None:
        self._folders = folders
        self._parts = parts
        self._ports = ports
        self._authority = authority
        self._socket = folders.state / "containerd.sock"

    def containers(self, sandbox_image: str) -> None:
        """Start containerd with a configuration of its own."""
        folder = self._folders.within("containerd")
        network = self._folders.within("cni")
        (network / "10-testbed.conflist").write_text(json.dumps(_network(self._folders), indent=2))
        configuration = folder / "config.toml"
        configuration.write_text(_containerd(self._folders.state, self._socket, sandbox_image))
        self._parts.start("containerd", program("containerd"), "--config", configuration)
        wait_for(
            self._socket.exists,
            "containerd's socket",
            seconds=30,
            while_=lambda: self._parts.require("containerd"),
        )

    def up(self, control: ControlPlane) -> None:
        """Start kubelet and kube-proxy, and return when the node is ready."""
        _make_cgroups(cgroup(self._folders.state))
        keys = self._folders.within("certificates")
        self._kubelet(control, keys)
        client = self._authority.client("system:kube-proxy")
        self._parts.start(
            "kube-proxy",
            self._folders.bin / "kube-proxy",
            f"--kubeconfig={control.kubeconfig(keys / 'kube-proxy.kubeconfig', client)}",
            f"--hostname-override={NAME}",
            "--proxy-mode=nftables",
            f"--cluster-cidr={PODS}",
            # The table of connections is the machine's: leave its size alone.
            "--conntrack-max-per-core=0",
            # Pods are on one bridge: an answer that goes from pod to pod would miss the translation.
            "--masquerade-all",
            f"--healthz-bind-address={LOOPBACK}:{self._ports.proxy_health}",
            f"--metrics-bind-address={LOOPBACK}:{self._ports.proxy_metrics}",
        )
        wait_for(
            lambda: "True" in control.kubectl("get", "node", NAME, "-o", f"jsonpath={_READY}"),
            "the node's readiness",
            seconds=READY_SECONDS,
            while_=lambda: self._parts.require("kubelet"),
        )

    def _kubelet(self, control: ControlPlane, keys: Path) -> None:
        served = self._authority.server("kubelet", NAME, NODE)
        client = self._authority.client(f"system:node:{NAME}", "system:nodes")
        configuration = self._folders.state / "kubelet.yaml"
        configuration.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "kubelet.config.k8s.io/v1beta1",
                    "kind": "KubeletConfiguration",
                    "address": NODE,
                    "port": self._ports.kubelet,
                    "healthzBindAddress": LOOPBACK,
                    "healthzPort": self._ports.kubelet_health,
                    "authentication": {
                        "anonymous": {"enabled": False},
                        "webhook": {"enabled": True},
                        "x509": {"clientCAFile": str(self._authority.pair.certificate)},
                    },
                    "authorization": {"mode": "Webhook"},
                    "tlsCertFile": str(served.certificate),
                    "tlsPrivateKeyFile": str(served.key),
                    "containerRuntimeEndpoint": f"unix://{self._socket}",
                    "cgroupDriver": "cgroupfs",
                    "cgroupRoot": f"/{cgroup(self._folders.state)}",
                    "failCgroupV1": False,
                    "failSwapOn": False,
                    "enforceNodeAllocatable": [],
                    # Kubelet's own iptables chains would stay behind; nftables does without.
                    "makeIPTablesUtilChains": False,
                    "clusterDNS": [NODE],
                    "clusterDomain": "cluster.local",
                    "podLogsDir": str(self._folders.within("pods")),
                    "staticPodPath": "",
                    # A laptop's disk is often fuller than a node's may be.
                    "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%"},
                    "imageGCHighThresholdPercent": 100,
                    "maxPods": 110,
                    "registerNode": True,
                    # Secrets are watched by default; a volume of one is written anew this often.
                    "syncFrequency": "10s",
                    "nodeStatusUpdateFrequency": "5s",
                    "serializeImagePulls": False,
                }
            )
        )
        self._parts.start(
            "kubelet",
            self._folders.bin / "kubelet",
            f"--config={configuration}",
            f"--kubeconfig={control.kubeconfig(keys / 'kubelet.kubeconfig', client)}",
            f"--root-dir={self._folders.within('kubelet')}",
            f"--hostname-override={NAME}",
            f"--node-ip={NODE}",
        )


def cgroup(state: Path) -> str:
    """Return the name of a cluster's cgroup: kubelet ends whatever it finds there and knows not."""
    return f"deployer-testbed-{hashlib.sha256(str(state).encode()).hexdigest()[:8]}"


def end_pods(folders: Folders) -> None:
    """End the pods: after kubelet, which would start them again, and before containerd."""
    socket = folders.state / "containerd.sock"
    if socket.exists():
        ctr = (program("ctr"), "--address", socket, "--namespace", "k8s.io", "task")
        with suppress(PartFailedError):
            for task in run(*ctr, "ls", "-q", seconds=20).split():
                with suppress(PartFailedError):
                    run(*ctr, "rm", "--force", task, seconds=20)


def remove(folders: Folders) -> None:
    """Unmount what pods had, and delete the cgroup. Every part is stopped."""
    state = folders.state
    _end_shims(state / "containerd.sock")
    for point in _mounts(state):
        with suppress(PartFailedError):
            run(program("umount"), "--lazy", point)
    _remove_cgroups(cgroup(state))


def leftovers(state: Path) -> list[str]:
    """Return which mounts, cgroups and holders of pods there are."""
    groups = [hierarchy / cgroup(state) for hierarchy in _hierarchies()]
    shims = [f"pod holder {pid}" for pid in _shims(state / "containerd.sock")]
    return [*_mounts(state), *(str(group) for group in groups if group.exists()), *shims]


_READY = '{.status.conditions[?(@.type=="Ready")].status}'


def _network(folders: Folders) -> dict[str, object]:
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(folders.within("addresses")),
            "ranges": [[{"subnet": PODS, "gateway": NODE}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    # The network's own table masquerades; the plugin's way would leave iptables chains behind.
    return {"cniVersion": "0.4.0", "name": NETWORK, "plugins": [bridge]}


def _containerd(state: Path, socket: Path, sandbox_image: str) -> str:
    # restrict_oom_score_adj: without the right to lower its score every sandbox would fail.
    return f"""
version = 2
root = "{state}/{FOLDER}/containerd"
state = "{state}/containerd/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
path = "{state}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{sandbox_image}"
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{CNI}"
conf_dir = "{state}/cni"
"""


def _end_shims(socket: Path) -> None:
    """Kill the processes that hold a pod, and the pod's: they outlive containerd by design."""
    for shim in _shims(socket):
        for pid in (*_children(shim), shim):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _shims(socket: Path) -> list[int]:
    """The processes of this containerd that hold a pod each, told by its socket."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"containerd-shim-runc-v2") and str(socket).encode() in words:
                found.append(int(folder.name))
    return found


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    return []


def _mounts(state: Path) -> list[str]:
    """What is mounted under the state folder, the deepest first."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return sorted((point for point in points if point.startswith(f"{state}/")), reverse=True)


def _hierarchies() -> list[Path]:
    """The machine's cgroup mounts: one a controller with version 1, one for all with version 2."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [folder for folder in CGROUPS.iterdir() if folder.is_dir() and not folder.is_symlink()]


def _make_cgroups(name: str) -> None:
    for hierarchy in _hierarchies():
        folder = hierarchy / name
        folder.mkdir(exist_ok=True)
        for file in ("cpuset.mems", "cpuset.cpus"):  # version 1: empty until they are given
            if (folder / file).exists() and not (folder / file).read_text().strip():
                (folder / file).write_text((hierarchy / file).read_text())


def _remove_cgroups(name: str) -> None:
    for hierarchy in _hierarchies():
        top = hierarchy / name
        if top.is_dir():
            wait_for(partial(_removed, top), f"the removal of {top}", seconds=15)


def _removed(top: Path) -> bool:
    for folder in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
        with suppress(OSError):  # a process in it is still ending
            folder.rmdir()
    with suppress(OSError):
        top.rmdir()
    return not top.exists()
