"""Helm, called as a program. What it prints for people is never read, but for its error."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from deployer import runner
from deployer.cluster import Cluster, metadata
from deployer.errors import OperationError

Run = Callable[..., runner.Completed]
TIMEOUT_SECONDS = 120.0
HISTORY = "3"  # revisions that Helm keeps: the deployer's way back is the other slot
PENDING = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")


class Helm:
    """Helm against one cluster."""

    def __init__(self, cluster: Cluster, context: str, *, run: Run = runner.run) -> None:
        self._cluster = cluster
        self._context = ("--kube-context", context) if context else ()
        self._run = run

    def install(
        self,
        name: str,
        chart: Path,
        *,
        namespace: str,
        values: Mapping[str, object],
        files: Sequence[Path] = (),
    ) -> None:
        """Install or upgrade a Helm release; does not wait for its pods.

        `values` go above those of `files`. What a killed Helm left half done is cleared first.
        Raises OperationError `chart-broken`, `values-refused`, `quota-exceeded` or `helm-failed`.
        """
        self._clear(name, namespace)
        with TemporaryDirectory() as scratch:
            given = Path(scratch) / "values.json"
            given.write_text(json.dumps(values))
            self._do(
                "upgrade", "--install", name, chart, "--namespace", namespace,
                *(word for file in files for word in ("--values", file)),
                "--values", given, "--history-max", HISTORY,
            )  # fmt: skip

    def uninstall(self, name: str, *, namespace: str) -> None:
        """Remove a Helm release and its objects; nothing happens when it is gone."""
        self._do("uninstall", name, "--namespace", namespace, "--ignore-not-found", "--wait=false")

    def template(
        self,
        name: str,
        chart: Path,
        *,
        namespace: str,
        values: Mapping[str, object],
        files: Sequence[Path] = (),
    ) -> str:
        """Return the manifests, as YAML documents; asks the cluster nothing."""
        with TemporaryDirectory() as scratch:
            given = Path(scratch) / "values.json"
            given.write_text(json.dumps(values))
            return self._do(
                "template", name, chart, "--namespace", namespace,
                *(word for file in files for word in ("--values", file)),
                "--values", given,
            )  # fmt: skip

    def values(self, name: str, *, namespace: str) -> Mapping[str, object] | None:
        """Return the values that a Helm release was installed with, or None when there is none."""
        words = ("get", "values", name, "--namespace", namespace, "--all", "--output", "json")
        done = self._run(("helm", *words, *self._context), timeout_seconds=TIMEOUT_SECONDS)
        if done.code != 0 and "not found" in done.stderr:
            return None
        found: Mapping[str, object] = json.loads(self._checked(done)) or {}
        return found

    def _clear(self, name: str, namespace: str) -> None:
        """Take out of Helm's records a revision whose Helm was killed: it would refuse for ever.

        Its objects stay, and the next upgrade takes them on.
        """
        path = f"/api/v1/namespaces/{namespace}/secrets"
        labels = f"owner=helm,name={name},status in ({','.join(PENDING)})"
        for secret in self._cluster.list(path, labels=labels):
            self._cluster.delete(f"{path}/{metadata(secret)['name']}")

    def _do(self, *words: str | Path) -> str:
        arguments = ("helm", *words, *self._context)
        return self._checked(self._run(arguments, timeout_seconds=TIMEOUT_SECONDS))

    def _checked(self, done: runner.Completed) -> str:
        if done.code == 0:
            return done.stdout
        raise _failure(done)


def package(
    charts: Path, service: str, *, version: str, into: Path, run: Run = runner.run
) -> bytes:
    """Package a service's chart with its library, under a release's version.

    Raises OperationError `chart-broken` or `helm-missing`.
    """
    folder = charts / service
    for words in (
        ("dependency", "build", folder, "--skip-refresh"),
        ("package", folder, "--version", version, "--app-version", version, "--destination", into),
    ):
        done = run(("helm", *words), timeout_seconds=TIMEOUT_SECONDS)
        if done.code != 0:
            raise _failure(done)
    (packed,) = into.glob("*.tgz")
    return packed.read_bytes()


def _failure(done: runner.Completed) -> OperationError:
    text = done.stderr.strip()
    cause = next((line for line in text.splitlines() if "Error:" in line), text[:300])
    cause = cause.removeprefix("Error: ")
    what = " ".join(done.arguments[:4])
    if done.code == 127:
        return OperationError(
            "helm-missing",
            "Helm is not on the PATH",
            hint="install Helm 3.14 or later; deployer doctor looks for it",
        )
    if "exceeded quota" in text:
        return OperationError(
            "quota-exceeded",
            f"the namespace's quota is used up: {cause}",
            hint="raise the ResourceQuota, or lower `instances` and the chart's resources",
            details=done.tail,
        )
    if "values don't meet" in text:
        return OperationError(
            "values-refused",
            f"the chart's schema refuses the values: {cause}",
            hint="mend charts/<service>/values-<environment>.yaml by its values.schema.json",
            details=done.tail,
        )
    if "forbidden" in text.lower():
        return OperationError(
            "forbidden",
            f"{what}: {cause}",
            hint="use an identity with the right, or have it granted: deployer doctor names them all",
            details=done.tail,
        )
    if any(word in text for word in ("execution error", "parse error", "YAML parse", "template:")):
        return OperationError(
            "chart-broken",
            f"the chart does not render: {cause}",
            hint="helm lint charts/<service>",
            details=done.tail,
        )
    return OperationError(
        "helm-failed",
        f"{what}: {cause}",
        hint="read its words above; deployer doctor looks for what is missing",
        details=done.tail,
    )
