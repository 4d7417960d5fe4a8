"""Programs from Go modules, at the versions that `tests/cluster/tools/<module>/go.mod` pins.

Built once into the cache, which only the first run pays: about ten minutes on two cores. Beside a
program lies the hash of the go.mod and go.sum it was built from, so that a changed pin builds anew.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from pathlib import Path

from .commands import run
from .failures import MachineUnfitError
from .folders import TOOLS, locked
from .report import timed

KUBERNETES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
)
PROGRAMS = {
    "kubernetes": KUBERNETES,
    "coredns": ("coredns",),
    "metrics-server": ("metrics-server",),
    "helm": ("helm",),
}
CLIENTS = {} if shutil.which("helm") else {"helm": PROGRAMS["helm"]}  # for a cluster that is there
# Of which module whose version is told to which variables. The deployer asks the API server for its
# version, and Helm takes one for granted where it has no cluster to ask.
TOLD = {
    "kubernetes": {
        "k8s.io/kubernetes": tuple(
            f"k8s.io/{package}/version.{line}"
            for package in ("component-base", "client-go/pkg")
            for line in ("gitVersion=v{}.{}.{}", "gitMajor={}", "gitMinor={1}")
        )
    },
    "helm": {
        "helm.sh/helm/v3": ("helm.sh/helm/v3/internal/version.version=v{}.{}.{}",),
        "k8s.io/client-go": (
            "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor={1}",
            "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor={1}",
        ),
    },
}
BUILD_SECONDS = 1800  # Kubernetes takes 4-10 minutes on two cores with nothing cached


def build(folder: Path, *, wanted: dict[str, tuple[str, ...]] = PROGRAMS) -> None:
    """Build into a folder what is not there at its pinned version; kubectl only where there is none."""
    wanted = dict(wanted)
    if shutil.which("kubectl") is None:
        wanted["kubernetes"] = (*wanted.get("kubernetes", ()), "kubectl")
    folder.mkdir(parents=True, exist_ok=True)
    for module, programs in wanted.items():
        with locked(folder / f".{module}.lock"):
            stale = [name for name in programs if not is_built(folder, module, name)]
            if stale:
                with timed(f"building {', '.join(stale)}"):
                    _build(folder, module, stale)


def gateway_definitions() -> Path:
    """Return the folder of the Gateway API's definitions, in Go's module cache."""
    return source("gateway-api", "sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"


def source(module: str, path: str) -> Path:
    """Return the folder of a Go module's files, at the version that is pinned."""
    said = run(_go(), "mod", "download", "-json", path, folder=_module(module))
    return Path(json.loads(said)["Dir"])


def pin(module: str) -> str:
    """Return the hash of what a module's programs are built from."""
    files = [_module(module) / name for name in ("go.mod", "go.sum")]
    parts = [*(file.read_bytes() for file in files), _flags(module).encode()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def is_built(folder: Path, module: str, program: str) -> bool:
    """Whether a program is there, from what its module pins now."""
    stamp = folder / f".{program}.pin"
    return (folder / program).exists() and stamp.exists() and stamp.read_text() == pin(module)


def package(module: str, program: str) -> str:
    """Return the Go package of a program, as its module's go.mod names it."""
    text = (_module(module) / "go.mod").read_text()
    (package,) = re.findall(rf"^(?:tool )?\s*(\S+/{re.escape(program)})$", text, re.MULTILINE)
    return str(package)


def _build(folder: Path, module: str, programs: list[str]) -> None:
    packages = [package(module, program) for program in programs]
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        # Static, so that a program runs in an image with nothing else in it.
        run(
            *(_go(), "build", "-trimpath", f"-ldflags={_flags(module)}"),
            *("-o", f"{fresh}/", *packages),
            environment={"CGO_ENABLED": "0"},
            folder=_module(module),
            seconds=BUILD_SECONDS,
        )
        for program in programs:  # each in one step: the one before it may be running
            (Path(fresh) / program).replace(folder / program)
            (folder / f".{program}.pin").write_text(pin(module))


def _flags(module: str) -> str:
    """The linker's flags: what a release is told when it is built, and a checkout is not."""
    text = (_module(module) / "go.mod").read_text()
    flags = ["-s", "-w"]
    for path, told in TOLD.get(module, {}).items():
        (version,) = re.findall(rf"^\s+{re.escape(path)} v(\d+)\.(\d+)\.(\S+)", text, re.MULTILINE)
        flags += [word for line in told for word in ("-X", line.format(*version))]
    return " ".join(flags)


def _module(name: str) -> Path:
    return TOOLS / name


def _go() -> str:
    go = shutil.which("go")
    if go is None:
        raise MachineUnfitError(
            "the one-node cluster is built from Go modules, and there is no go on PATH"
        )
    return go
