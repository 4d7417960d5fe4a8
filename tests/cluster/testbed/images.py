"""Base images: stand-ins, made of Debian packages, for the public images that Dockerfiles name.

No image can be pulled where only package registries are reachable. So the root file systems are made
once by mmdebstrap, imported under the public names, and pushed to the cluster's registry, whose
storage is kept as one archive: a warm start unpacks it, and pulling from it tells Docker which layers
the registry has, so that a service's image pushes only its own.

The stand-ins carry this machine's certificates and pip's configuration: behind a gateway that signs
for itself, `pip install` in a build would fail without.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .commands import run
from .engine import Engine
from .folders import Folders, locked
from .packages import program
from .report import timed
from .tools import pin

SUITE = "bookworm"
PREFIX = "library"  # the registry's folder of the stand-ins, as on Docker Hub
PYTHON = "python:3.11-slim-bookworm"
POSTGRES = "postgres:15-bookworm"
HELM = "alpine/helm:3.19.0"
PAUSE = "pause:testbed"
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
SOURCES = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
MAKE_SECONDS = 900  # seen: 35-115
UNUSED_SECONDS = 21 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an image is made, and what it says of itself."""

    name: str
    packages: tuple[str, ...] = ()
    hooks: tuple[tuple[str, str], ...] = ()  # when, and a shell line with the root as $1
    changes: tuple[str, ...] = ()  # instructions for `docker import`
    built_on: bool = True  # whether a Dockerfile names it; others are the registry's only

    def key(self, *more: bytes) -> str:
        """Return a hash of all that goes into the root file system."""
        parts = [repr((self.name, self.packages, self.hooks)).encode(), *more]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def in_registry(registry: str, name: str) -> str:
    """Return by which reference the cluster pulls an image."""
    return f"{registry}/{PREFIX}/{name}"


def recipes() -> tuple[Recipe, ...]:
    """Return how every image is made on this machine."""
    certificates = f"ENV SSL_CERT_FILE={BUNDLE} PIP_CERT={BUNDLE} REQUESTS_CA_BUNDLE={BUNDLE}"
    python = Recipe(
        PYTHON,
        ("python3", "python3-venv", "python3-pip", "ca-certificates"),
        (
            # The public image has Python under /usr/local, and pip may install beside it.
            ("customize", 'ln -s /usr/bin/python3 "$1/usr/local/bin/python"'),
            ("customize", 'rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED'),
            *_of_this_machine(),
        ),
        (certificates, "ENV LANG=C.UTF-8", 'CMD ["python3"]'),
    )
    postgres = Recipe(
        POSTGRES,
        ("postgresql-15", "ca-certificates"),
        (
            # The same number as in the public image: volumes and security contexts name it.
            ("essential", 'echo "postgres:x:999:" >> "$1/etc/group"'),
            ("essential", _USER),
            ("essential", 'mkdir -p "$1/etc/postgresql-common"'),
            ("essential", f'echo "create_main_cluster = false" > {_CREATE}'),
            ("customize", f'mkdir -p "$1{_DATA}" && chown 999:999 "$1{_DATA}"'),
            ("customize", 'mkdir -p "$1/run/postgresql" && chown 999:999 "$1/run/postgresql"'),
        ),
        (
            "ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            f"ENV PGDATA={_DATA} LANG=C.UTF-8",
            'CMD ["postgres"]',
        ),
        built_on=False,
    )
    helm = Recipe(HELM, changes=("ENV HOME=/tmp", "WORKDIR /tmp", 'ENTRYPOINT ["/usr/bin/helm"]'))
    pause = Recipe(
        PAUSE,
        changes=('ENTRYPOINT ["/bin/busybox", "sleep", "2147483647"]',),
        built_on=False,
    )
    return (python, postgres, helm, pause)


def make(folders: Folders) -> Path:
    """Make what is not in the cache and return the folder of the root file systems."""
    folder = folders.cache / "images"
    with locked(folder / ".lock"):
        for recipe in recipes():
            archive = _archive(folder, recipe)
            if not archive.exists():
                with timed(f"making {recipe.name}"):
                    _replace(archive, partial(_make, recipe, folders))
            archive.touch()
        _forget_unused(folder)
    return folder


def seed(folders: Folders) -> bool:
    """Unpack the kept storage into the registry's folder; return whether there was one."""
    kept = _kept(folders)
    if not kept.exists():
        return False
    kept.touch()
    with tarfile.open(kept) as archive:
        archive.extractall(folders.within("registry"), filter="data")
    return True


def load(folders: Folders, engine: Engine, registry: str, *, seeded: bool) -> None:
    """Give the engine the images under the public names, and the registry under its own."""
    folder = make(folders)
    for recipe in recipes():
        reference = in_registry(registry, recipe.name)
        if seeded and not recipe.built_on:
            continue
        if seeded:
            engine.docker("pull", "--quiet", reference)
        else:
            changes = [word for change in recipe.changes for word in ("--change", change)]
            engine.docker("import", *changes, _archive(folder, recipe), reference)
            engine.docker("push", "--quiet", reference)
        engine.docker("tag", reference, recipe.name)
    if not seeded:
        _replace(_kept(folders), lambda path: _keep(path, folders.within("registry")))


_DATA = "/var/lib/postgresql/data"
_USER = 'echo "postgres:x:999:999::/var/lib/postgresql:/bin/bash" >> "$1/etc/passwd"'
_CREATE = '"$1/etc/postgresql-common/createcluster.conf"'


def _forget_unused(folder: Path) -> None:
    """Delete archives of recipes that nobody has followed for some weeks: a checkout may be old."""
    for archive in folder.glob("*.tar"):
        if time.time() - archive.stat().st_mtime > UNUSED_SECONDS:
            archive.unlink()


def _of_this_machine() -> tuple[tuple[str, str], ...]:
    """Hooks that put this machine's certificates and pip's configuration into an image."""
    lines = []
    if BUNDLE.exists():
        lines.append(f'cp {BUNDLE} "$1{BUNDLE}"')
    settings = {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in os.environ.items()
        if name
        in {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT"}
    }
    text = "".join(f"{key} = {value}\\n" for key, value in sorted(settings.items()))
    lines.append(f'printf "[global]\\ncert = {BUNDLE}\\n{text}" > "$1/etc/pip.conf"')
    return tuple(("customize", line) for line in lines)


def _material(recipe: Recipe) -> tuple[bytes, ...]:
    if recipe.name == HELM:
        return (pin().encode(),)
    return (BUNDLE.read_bytes(),) if recipe.name == PYTHON and BUNDLE.exists() else ()


def _archive(folder: Path, recipe: Recipe) -> Path:
    plain = recipe.name.replace("/", "-").replace(":", "-")
    return folder / f"{plain}-{recipe.key(*_material(recipe))}.tar"


def _kept(folders: Folders) -> Path:
    keys = [recipe.key(*_material(recipe)) + repr(recipe.changes) for recipe in recipes()]
    name = hashlib.sha256("".join(keys).encode()).hexdigest()[:16]
    return folders.cache / "images" / f"registry-{name}.tar"


def _keep(path: Path, registry: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.add(registry / "storage", "storage")


def _make(recipe: Recipe, folders: Folders, path: Path) -> None:
    if recipe.name == HELM:
        _single(path, folders.bin / "helm", "usr/bin/helm")
    elif recipe.name == PAUSE:
        _single(path, Path(program("busybox")), "bin/busybox")
    else:
        _debian(path, recipe)


def _single(path: Path, binary: Path, name: str) -> None:
    """A root file system of one static program, and a place for its temporary files."""
    with tarfile.open(path, "w") as archive:
        archive.add(binary.resolve(), name)
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(folder)
        if BUNDLE.exists():
            archive.add(BUNDLE, str(BUNDLE).lstrip("/"))


def _debian(path: Path, recipe: Recipe) -> None:
    hooks = [f"--{when}-hook={line}" for when, line in recipe.hooks]
    sources = [file for file in SOURCES if file.exists() and SUITE in file.read_text()]
    run(
        *("nice", program("mmdebstrap"), "--quiet", "--mode=root", "--variant=minbase"),
        f"--include={','.join(recipe.packages)}",
        *hooks,
        SUITE,
        path,
        *sources,
        seconds=MAKE_SECONDS,
    )


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file as a whole: what was interrupted leaves nothing that looks done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        write(fresh)
        shutil.move(fresh, path)
