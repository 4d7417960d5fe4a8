"""Builds for a cluster: an image in the registry, by digest, and the chart that goes with it.

By Skaffold where it is on the PATH, else by Docker. What the registry has already under the
content's own tag is not built again, so a version has one digest wherever it is rolled out from.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import urllib3

from deployer import runner
from deployer.cluster import Cluster
from deployer.environment import Environment
from deployer.errors import InputError, OperationError
from deployer.model import Release, ServiceName
from deployer.releases import Version
from deployer.targets.kubernetes.helm import Run, package
from deployer.targets.kubernetes.names import Names
from deployer.targets.kubernetes.shipments import Shipment, Shipments
from deployer.workspace import Source, content_of

TIMEOUT_SECONDS = 1800.0
# What `helm dependency build` leaves in a checkout; it is made anew for each release.
VENDORED = shutil.ignore_patterns("*.tgz", "Chart.lock")
LOCAL = re.compile(r"^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$")  # plain HTTP, as Docker has it
MANIFESTS = ", ".join(
    f"application/vnd.{kind}"
    for kind in (
        "oci.image.index.v1+json",
        "oci.image.manifest.v1+json",
        "docker.distribution.manifest.list.v2+json",
        "docker.distribution.manifest.v2+json",
    )
)


class Images:
    """Builds of an environment in a cluster. `root` is the checkout."""

    standalone = False  # a release is remembered in its service's namespace

    def __init__(
        self,
        cluster: Cluster,
        environment: Environment,
        *,
        root: Path,
        run: Run = runner.run,
        which: Callable[[str], str | None] = shutil.which,
    ) -> None:
        self._registry = _registry_of(environment)
        self._shipments = Shipments(cluster, Names.of(environment))
        self._root = root
        self._run = run
        self._which = which
        self._http = urllib3.PoolManager(retries=False, timeout=10.0)

    def build(self, source: Source) -> Release:
        """Return the release of a source: its image pushed, its chart kept in the cluster.

        Raises OperationError: `docker-missing`, `build-failed`, `push-failed`, `chart-broken`.
        """
        service, version = source.service, str(source.version)
        built = self._shipments.built(service, version, source.content)
        if built is not None:
            return built
        tag = f"{version}-{source.content[:12]}"
        self._complete(source)
        with TemporaryDirectory() as scratch:
            digest = self._known(service, tag) or self._build(source, tag, Path(scratch))
            charts = source.tree / "charts"
            content = content_of(charts)
            chart = package(charts, service, version=version, into=Path(scratch), run=self._run)
        image = f"{self._registry}/{service}@{digest}"
        whole = hashlib.sha256(f"{digest} {content}".encode()).hexdigest()
        release = Release(service, version, whole, commit=source.commit)
        self._shipments.keep(release, Shipment(image, chart), content=source.content)
        return release

    def development_number(self, service: ServiceName, base: Version, content: str) -> int:
        """Return the number of a development version: the same for the same content, else the next."""
        stem = f"{base.major}.{base.minor}.{base.patch}-dev."
        pushed = [
            tag.removeprefix(stem).split("-", 1)
            for tag in self._tags(service)
            if tag.startswith(stem)
        ]
        built = {int(number): digest for number, digest in pushed if number.isdecimal()}
        same = [number for number, digest in built.items() if digest == content[:12]]
        return same[0] if same else max(built, default=0) + 1

    def _build(self, source: Source, tag: str, scratch: Path) -> str:
        if self._which("skaffold") and (source.tree / "skaffold.yaml").exists():
            return self._build_by_skaffold(source, tag, scratch / "artifacts.json")
        return self._build_by_docker(source, tag)

    def _complete(self, source: Source) -> None:
        """Add what a release of before its Dockerfile or chart lacks, and set the release's version."""
        service = source.service
        for name in ("skaffold.yaml", ".dockerignore", f"services/{service}/Dockerfile"):
            if not (source.tree / name).exists() and (self._root / name).exists():
                shutil.copyfile(self._root / name, source.tree / name)
        for name in ("charts/platform", f"charts/{service}"):
            if not (source.tree / name).exists():
                shutil.copytree(self._root / name, source.tree / name, ignore=VENDORED)
        project = source.tree / "services" / service / "pyproject.toml"
        line = f'version = "{source.version.python}"'
        text = re.sub(r'^version = ".*"$', line, project.read_text(), count=1, flags=re.MULTILINE)
        project.write_text(text)

    def _build_by_docker(self, source: Source, tag: str) -> str:
        name = f"{self._registry}/{source.service}:{tag}"
        self._do(
            "build-failed", source,
            "docker", "build", "--file", f"services/{source.service}/Dockerfile", "--tag", name,
            "--build-arg", f"VERSION={source.version}",
            "--build-arg", f"REVISION={source.commit or ''}", ".",
        )  # fmt: skip
        self._do("push-failed", source, "docker", "push", name)
        return self._digest(source, tag)

    def _build_by_skaffold(self, source: Source, tag: str, artifacts: Path) -> str:
        self._do(
            "build-failed", source,
            "skaffold", "build", "--profile", source.service, "--default-repo", self._registry,
            "--tag", tag, "--push", "--file-output", str(artifacts), "--interactive=false",
            "--update-check=false",
        )  # fmt: skip
        (built,) = json.loads(artifacts.read_text())["builds"]
        _, _, digest = built["tag"].partition("@")
        return str(digest) or self._digest(source, tag)

    def _do(self, code: str, source: Source, *words: str) -> None:
        done = self._run(words, cwd=source.tree, timeout_seconds=TIMEOUT_SECONDS)
        if done.code == 127:
            raise OperationError(
                "docker-missing",
                f"{words[0]} is not on the PATH, and {source.service} has to be built",
                hint="install Docker, or roll out a version that the registry has",
            )
        if done.code != 0:
            raise OperationError(
                code,
                f"{' '.join(words[:2])} of {source.service}@{source.version} failed",
                hint="mend what it says; deployer doctor looks at Docker and the registry",
                details=done.tail,
            )

    def _digest(self, source: Source, tag: str) -> str:
        digest = self._known(source.service, tag)
        if digest is None:
            raise OperationError(
                "push-failed",
                f"{self._registry} does not show {source.service}:{tag} though it was pushed",
                hint="see that the deployer may read from the registry: deployer doctor",
            )
        return digest

    def _known(self, service: ServiceName, tag: str) -> str | None:
        """Return the digest of a tag, or None where the registry has none or does not tell."""
        answer = self._ask("HEAD", f"{service}/manifests/{tag}")
        return answer.headers.get("Docker-Content-Digest") if answer.status == 200 else None

    def _tags(self, service: ServiceName) -> tuple[str, ...]:
        answer = self._ask("GET", f"{service}/tags/list")
        return tuple(answer.json().get("tags") or ()) if answer.status == 200 else ()

    def _ask(self, method: str, path: str) -> urllib3.BaseHTTPResponse:
        host, _, prefix = self._registry.partition("/")
        scheme = "http" if LOCAL.match(host) else "https"
        repository = f"{prefix}/{path}" if prefix else path
        url = f"{scheme}://{host}/v2/{repository}"
        try:
            return self._http.request(method, url, headers={"Accept": MANIFESTS})
        except urllib3.exceptions.HTTPError as error:
            raise OperationError(
                "registry-unreachable",
                f"the registry {self._registry} does not answer: {error}",
                hint="see that it runs, and `registry` under [kubernetes] in the environment's file",
            ) from error


def _registry_of(environment: Environment) -> str:
    if not environment.kubernetes.registry:
        raise InputError(
            "registry-unknown",
            f"environments/{environment.name}.toml names no registry",
            hint='set registry = "..." under [kubernetes] there',
        )
    return environment.kubernetes.registry
