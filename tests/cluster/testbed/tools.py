"""Programs from Go modules, at the versions that `tests/cluster/tools/go.mod` pins.

One module for all of them, so that what they share is compiled once. Built once into the cache, which
only the first run pays: ten to twenty minutes on two cores. Beside a program lies the hash of what it was
built from, so that a changed pin builds anew.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from .commands import run
from .failures import MachineUnfitError
from .folders import TOOLS, locked
from .report import timed

PACKAGES = {
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server",
    "helm": "helm.sh/helm/v3/cmd/helm",
    "coredns": "./coredns",
}
PROGRAMS = PACKAGES.keys() - {"kubectl"}
CLIENTS = set() if shutil.which("helm") else {"helm"}  # beside a cluster that is there
# What a release is told when it is built, and a checkout is not: which module's version goes to which
# variables. The deployer asks the API server for its version, and Helm takes one for granted where it
# has no cluster to ask.
TOLD = {
    "k8s.io/kubernetes": (
        "k8s.io/component-base/version.gitVersion=v{}.{}.{}",
        "k8s.io/component-base/version.gitMajor={}",
        "k8s.io/component-base/version.gitMinor={1}",
        "k8s.io/client-go/pkg/version.gitVersion=v{}.{}.{}",
        "k8s.io/client-go/pkg/version.gitMajor={}",
        "k8s.io/client-go/pkg/version.gitMinor={1}",
    ),
    "k8s.io/client-go": (
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor={1}",
        "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor={1}",
    ),
    "helm.sh/helm/v3": ("helm.sh/helm/v3/internal/version.version=v{}.{}.{}",),
}
BUILD_SECONDS = 2400  # 17 minutes on two cores with nothing cached, and other work beside it
STAMP = ".{}.pin"


def build(folder: Path, *, wanted: Iterable[str] = PROGRAMS) -> None:
    """Build into a folder what is not there at its pinned version; kubectl only where there is none."""
    needed = set(wanted)
    if shutil.which("kubectl") is None:
        needed.add("kubectl")
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".build.lock"):
        stale = sorted(name for name in needed if not is_built(folder, name))
        if stale:
            with timed(f"building {', '.join(stale)}"):
                _build(folder, stale)


def gateway_definitions() -> Path:
    """Return the folder of the Gateway API's definitions, in Go's module cache."""
    return _source(TOOLS / "gateway-api", "sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"


def metrics_server_manifests() -> Path:
    """Return the folder of metrics-server's own objects, in Go's module cache."""
    return _source(TOOLS, "sigs.k8s.io/metrics-server") / "manifests" / "base"


def pin() -> str:
    """Return the hash of what the programs are built from."""
    files = (TOOLS / "go.mod", TOOLS / "go.sum", TOOLS / "coredns" / "main.go")
    parts = [*(file.read_bytes() for file in files), _flags().encode()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def is_built(folder: Path, program: str) -> bool:
    """Whether a program is there, from what is pinned now."""
    stamp = folder / STAMP.format(program)
    return (folder / program).exists() and stamp.exists() and stamp.read_text() == pin()


def _build(folder: Path, programs: list[str]) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        # Static, so that a program runs in an image with nothing else in it.
        run(
            *(_go(), "build", "-trimpath", f"-ldflags={_flags()}", "-o", f"{fresh}/"),
            *(PACKAGES[name] for name in programs),
            environment={"CGO_ENABLED": "0"},
            folder=TOOLS,
            seconds=BUILD_SECONDS,
        )
        for name in programs:  # each in one step: the one before it may be running
            (Path(fresh) / name).replace(folder / name)
            (folder / STAMP.format(name)).write_text(pin())


def _flags() -> str:
    """The linker's flags for all programs: it passes over variables that a program does not have."""
    pinned = (TOOLS / "go.mod").read_text()
    flags = ["-s", "-w"]
    for path, told in TOLD.items():
        required = rf"^\s+{re.escape(path)} v(\d+)\.(\d+)\.(\S+)"
        (version,) = re.findall(required, pinned, re.MULTILINE)
        flags += [word for line in told for word in ("-X", line.format(*version))]
    return " ".join(flags)


def _source(module: Path, path: str) -> Path:
    """The folder of a Go module's files, at the version that is pinned."""
    said = run(_go(), "mod", "download", "-json", path, folder=module)
    return Path(json.loads(said)["Dir"])


def _go() -> str:
    go = shutil.which("go")
    if go is None:
        raise MachineUnfitError(
            "the one-node cluster is built from Go modules, and there is no go on PATH"
        )
    return go
