"""Notices: what a rollout did, as Kubernetes Events, so that `kubectl describe` tells it.

For people only, and kept by the cluster for an hour or so: the ledger is the record. Written by a
thread of its own from a short queue. What does not fit, and what the cluster does not take, is left
out: nothing here slows a rollout down or ends it.
"""

from __future__ import annotations

import queue
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from deployer.cluster import Cluster, Object, ObjectExists, metadata
from deployer.errors import OperationError
from deployer.ledger.holder import this_holder

CONTROLLER = "deployer"
WAITING = 100  # a rollout that goes fast changes ten times a second
NOTE_CHARACTERS = 1024  # the API takes no more
INSTANCE_CHARACTERS = 128


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a rollout did. `reason` is one word in CamelCase, `note` a sentence."""

    reason: str
    note: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """The object that notices are about: what `kubectl describe` is asked for."""

    api_version: str
    kind: str
    plural: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Where the object is in the API."""
        space = f"/apis/{self.api_version}/namespaces/{self.namespace}"
        return f"{space}/{self.plural}/{self.name}"


def route(namespace: str, name: str) -> Subject:
    """Return a service's HTTPRoute as a subject: it is what a rollout moves."""
    return Subject("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes", namespace, name)


class NoticeBoard:
    """Puts notices about one object into the cluster, in their order, some time later."""

    def __init__(self, cluster: Cluster, subject: Subject) -> None:
        self._cluster = cluster
        self._subject = subject
        self._waiting: queue.Queue[tuple[Notice, float]] = queue.Queue(WAITING)
        self._thread: threading.Thread | None = None

    def put(self, notice: Notice) -> None:
        """Have a notice written; it is left out when too many wait."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work, name=f"notices-{self._subject.name}", daemon=True
            )
            self._thread.start()
        with suppress(queue.Full):
            self._waiting.put_nowait((notice, time.time()))

    def flush(self, *, seconds: float) -> bool:
        """Wait until all are written, not longer than that; return whether they are."""
        deadline = time.monotonic() + seconds
        while self._waiting.unfinished_tasks:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def _work(self) -> None:
        while True:
            notice, at = self._waiting.get()
            with suppress(OperationError, ObjectExists):  # for people only; the ledger has it
                self._write(notice, at)
            self._waiting.task_done()

    def _write(self, notice: Notice, at: float) -> None:
        found = self._cluster.get(self._subject.path)
        uid = metadata(found).get("uid") if found else None  # `describe` asks for it
        namespace = self._subject.namespace
        path = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
        self._cluster.create(path, _event(self._subject, notice, at, uid))


def _event(subject: Subject, notice: Notice, at: float, uid: str | None) -> Object:
    moment = datetime.fromtimestamp(at, tz=UTC).isoformat(timespec="microseconds")
    regarding = {
        "apiVersion": subject.api_version,
        "kind": subject.kind,
        "namespace": subject.namespace,
        "name": subject.name,
    }
    if uid:
        regarding["uid"] = uid
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{subject.name}.{secrets.token_hex(8)}",
            "namespace": subject.namespace,
        },
        "eventTime": moment.replace("+00:00", "Z"),
        "type": "Warning" if notice.warning else "Normal",
        "reason": notice.reason,
        "action": "Rollout",
        "note": _short(notice.note),
        "regarding": regarding,
        "reportingController": CONTROLLER,
        "reportingInstance": this_holder()[:INSTANCE_CHARACTERS],
    }


def _short(note: str) -> str:
    """Cut a note to what the API takes, which counts bytes."""
    encoded = note.encode()
    if len(encoded) <= NOTE_CHARACTERS:
        return note
    return encoded[: NOTE_CHARACTERS - 3].decode("utf-8", "ignore") + "…"
