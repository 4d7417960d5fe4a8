"""Wishes: what others ask the holder of a rollout for, in a ConfigMap of their own.

Nobody who leaves a wish competes with the holder's appends, and the holder never writes here. Which
wishes were answered stands in the rollout's own ConfigMap, written together with the event that
answers them: who dies between a wish and its event leaves the wish to the next one.
"""

from __future__ import annotations

import json
import time
import uuid

from deployer.cluster import Cluster, Object, ObjectChanged, ObjectExists, metadata
from deployer.ledger.cluster.places import Places, config_map, rollout_name
from deployer.ledger.cluster.records import Key, Records
from deployer.ledger.protocol import Request, Verb
from deployer.model import RolloutId, ServiceName

ASK_SECONDS = 0.1  # one small read ten times a second, however often it is asked here


class Wishes:
    """The wishes for every rollout of one environment."""

    def __init__(self, cluster: Cluster, places: Places, records: Records) -> None:
        self._cluster = cluster
        self._places = places
        self._records = records
        self._asked: dict[Key, tuple[float, bool]] = {}

    def leave(self, service: ServiceName, rollout: RolloutId, request: Request) -> None:
        """Add a wish behind those that are there."""
        mark = uuid.uuid4().hex
        while True:
            found = self._cluster.get(self._path(service, rollout))
            left = (found or {}).get("data") or {}
            if any(json.loads(text)["mark"] == mark for text in left.values()):
                break  # a write whose answer was lost
            number = max((int(key) for key in left), default=0) + 1
            try:
                self._write(service, rollout, found, {f"{number:06}": _text(request, mark)})
            except (ObjectExists, ObjectChanged):
                continue
            break
        self.forget(service, rollout)

    def any(self, service: ServiceName, rollout: RolloutId) -> bool:
        """Whether a wish waits, as of a tenth of a second ago at most."""
        asked_at, answer = self._asked.get((service, rollout), (0.0, False))
        now = time.monotonic()
        if now - asked_at < ASK_SECONDS:
            return answer
        answer = bool(self.waiting(service, rollout))
        self._asked[service, rollout] = (now, answer)
        return answer

    def waiting(self, service: ServiceName, rollout: RolloutId) -> tuple[Request, ...]:
        """Return the wishes that no event has answered, oldest first."""
        found = self._cluster.get(self._path(service, rollout))
        left = (found or {}).get("data") or {}
        if not left:
            return ()
        answered = self._records.answered(service, rollout)
        wishes = (_request(int(key), text) for key, text in sorted(left.items()))
        return tuple(wish for wish in wishes if wish.number not in answered)

    def forget(self, service: ServiceName, rollout: RolloutId) -> None:
        """Ask anew the next time."""
        self._asked.pop((service, rollout), None)

    def _path(self, service: ServiceName, rollout: RolloutId) -> str:
        return self._places.map(service, f"{rollout_name(rollout)}-requests")

    def _write(
        self, service: ServiceName, rollout: RolloutId, found: Object | None, data: dict[str, str]
    ) -> None:
        if found is not None:
            version = metadata(found)["resourceVersion"]
            patch: Object = {"metadata": {"resourceVersion": version}, "data": data}
            if self._cluster.patch(self._path(service, rollout), patch) is None:
                raise ObjectChanged
            return
        name = f"{rollout_name(rollout)}-requests"
        body = config_map(name, service, kind="requests", rollout=rollout)
        body["data"] = data
        self._cluster.create(self._places.maps(service), body)


def _text(request: Request, mark: str) -> str:
    wish = {"at": request.at, "verb": request.verb, "by": request.by, "why": request.why}
    return json.dumps({**wish, "mark": mark})


def _request(number: int, text: str) -> Request:
    wish = json.loads(text)
    return Request(wish["at"], Verb(wish["verb"]), wish["by"], wish["why"], number)
