"""The migrations of a release, as a Job from its own image."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

from deployer.cluster import Cluster, Object, ObjectExists, metadata
from deployer.errors import OperationError
from deployer.model import Release
from deployer.targets.kubernetes.names import Names
from deployer.targets.kubernetes.pods import HINTS, LOG_LINES, stuck_code, waiting_of
from deployer.targets.migrating import migration_failure

if TYPE_CHECKING:
    from deployer.targets.kubernetes.charts import Charts

WAIT_SECONDS = 3600.0  # a backfill of a large table
TRY_SECONDS = 0.25


class Migrations:
    """Runs Jobs of an environment's services."""

    def __init__(self, cluster: Cluster, names: Names, charts: Charts) -> None:
        self._cluster = cluster
        self._names = names
        self._charts = charts

    def run(self, release: Release, phase: str) -> tuple[str, ...]:
        """Run a phase's migrations and return the revisions that were applied.

        One that a killed deployer began is waited for; one that failed is tried again. Raises
        OperationError `migration-failed`, or `schema-ahead` on the schema of a newer release.
        """
        job = self._charts.migration(release, phase)
        return self._carry_out(release, job, what=f"the {phase} migrations", told="applied")

    def revert(self, release: Release, to: str) -> tuple[str, ...]:
        """Take back the expand revisions after `to`, by the release's own downgrades; return them.

        As `run`, in a Job of its own.
        """
        job = _reverting(self._charts.migration(release, "expand"), release, to)
        return self._carry_out(release, job, what=f"the way back to {to}", told="reverted")

    def _carry_out(self, release: Release, job: Object, *, what: str, told: str) -> tuple[str, ...]:
        path = f"{self._jobs(release)}/{metadata(job)['name']}"
        self._begin(release, job, path)
        succeeded = self._wait(path)
        lines = self._log(release, job).splitlines()
        if not succeeded and self._ended_by(release, job) == "OOMKilled":
            raise OperationError(
                "out-of-memory",
                f"{what} of {release.name} needed more memory than their limit",
                hint=HINTS["out-of-memory"],
                details=tuple(lines[-LOG_LINES:]),
            )
        if not succeeded:
            raise migration_failure(release, what, tuple(lines[-LOG_LINES:]))
        self._cluster.delete(path)
        return tuple(json.loads(lines[-1])[told]) if lines else ()

    def _begin(self, release: Release, job: Object, path: str) -> None:
        found = self._cluster.get(path)
        if found is not None and _outcome(found) is not None:  # of an earlier try
            self._cluster.delete(path)
            while self._cluster.get(path) is not None:
                time.sleep(TRY_SECONDS)
        try:
            self._cluster.create(self._jobs(release), job)
        except ObjectExists:
            return  # it runs

    def _wait(self, path: str) -> bool:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            found = self._cluster.get(path)
            outcome = _outcome(found) if found else False
            if outcome is not None:
                return outcome
            try:
                self._require_hopeful(path, str(metadata(found or {}).get("uid")))
            except OperationError:
                self._cluster.delete(path)  # it would try for ever, also when nobody waits
                raise
            time.sleep(TRY_SECONDS)
        return False

    def _require_hopeful(self, path: str, uid: str) -> None:
        """Raise OperationError when the Job's pod can't even start."""
        namespace, _, name = path.rpartition("/jobs/")
        core = namespace.replace("/apis/batch/v1/", "/api/v1/")
        pods = self._cluster.list(f"{core}/pods", labels=f"batch.kubernetes.io/job-name={name}")
        if not pods:
            self._require_allowed(core, name, uid)
        for pod in pods:
            for status in (pod.get("status") or {}).get("containerStatuses", ()):
                waiting = waiting_of(status)
                code = stuck_code(waiting)
                if code is None or code == "crash-loop":
                    continue
                raise OperationError(
                    code,
                    f"the migration {name} does not start: {waiting.get('message', '')}",
                    hint=f"kubectl describe job {name}",
                )

    def _require_allowed(self, core: str, name: str, uid: str) -> None:
        """Raise OperationError when the cluster makes no pod for this very Job."""
        fields = f"involvedObject.uid={uid},reason=FailedCreate"
        for event in self._cluster.list(f"{core}/events", fields=fields):
            text = str(event.get("message", ""))
            code = "quota-exceeded" if "exceeded quota" in text else "pods-refused"
            raise OperationError(
                code, f"the migration {name} gets no pod: {text}", hint=HINTS[code]
            )

    def _log(self, release: Release, job: Object) -> str:
        pod = self._pod(release, job)
        if pod is None:
            return ""
        name = metadata(pod)["name"]
        return self._cluster.text(f"{self._names.core(release.service, 'pods', name)}/log")

    def _ended_by(self, release: Release, job: Object) -> str:
        """Return the kubelet's word for how the Job's process ended."""
        pod = self._pod(release, job) or {}
        for status in (pod.get("status") or {}).get("containerStatuses", ()):
            return str(((status.get("state") or {}).get("terminated") or {}).get("reason", ""))
        return ""

    def _pod(self, release: Release, job: Object) -> Object | None:
        """Return the newest pod of a Job."""
        labels = f"batch.kubernetes.io/job-name={metadata(job)['name']}"
        pods = self._cluster.list(self._names.core(release.service, "pods"), labels=labels)
        return max(pods, key=lambda pod: str(metadata(pod)["creationTimestamp"]), default=None)

    def _jobs(self, release: Release) -> str:
        return self._names.group(release.service, "batch/v1", "jobs")


def _outcome(job: Object) -> bool | None:
    """Return whether a Job succeeded, or None while it runs."""
    for condition in (job.get("status") or {}).get("conditions", ()):
        if condition["status"] == "True" and condition["type"] in {"Complete", "Failed"}:
            return bool(condition["type"] == "Complete")
    return None


def _reverting(job: Object, release: Release, to: str) -> Object:
    """Return a migration's Job with the runner told to go back: charts of before know no such part."""
    slug = re.sub(r"[^a-z0-9]+", "-", to.lower())
    job["metadata"]["name"] = metadata(job)["name"].replace("-expand", f"-revert-{slug}")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    program = ("python", "-m", "platform_kit.migrations", release.service)
    container["command"] = [*program, "--revert-to", to]
    return job
