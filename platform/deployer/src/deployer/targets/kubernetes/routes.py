"""The weights: an HTTPRoute at each of the two Gateways, made of what the service's record says.

Both routes bear a mark of what they were made from, and requests with a header of ours get it back:
an answer with the mark proves that the router works by this very route. A route counts once the
Gateway has accepted its generation and ten probes in a row, at each Gateway, brought the mark.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import urllib3

from deployer.cluster import Cluster, Object, ObjectChanged, annotation, metadata
from deployer.errors import OperationError
from deployer.ledger import StaleFenceError
from deployer.model import ServiceName, Slot
from deployer.targets.headers import INNER_HEADERS
from deployer.targets.kubernetes.names import FENCE, LIVE, SERVICE_PORT, Names
from deployer.targets.record import ServiceRecord

PROBE = "x-deployer-probe"  # any value: by the weights; a slot's name: that slot (internal only)
MARK = "x-deployer-route"
PROBES = 10
CONFIRM_SECONDS = 15.0  # Gateways serve a new route after 0.1 to 2 s
TRY_SECONDS = 0.05
API = "gateway.networking.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Gateway:
    """One of the two: `name` in the platform's namespace, `url` where it is reached from here."""

    name: str
    url: str
    internal: bool


class Routes:
    """The routes of an environment."""

    def __init__(
        self,
        cluster: Cluster,
        names: Names,
        *,
        hidden: Callable[[ServiceName], tuple[str, ...]],
    ) -> None:
        self._cluster = cluster
        self._names = names
        self._hidden = hidden
        policy = names.policy
        self._gateways = (
            Gateway("public", policy.public_url, internal=False),
            Gateway("internal", policy.probe_url, internal=True),
        )
        timeout = urllib3.Timeout(connect=1.0, read=2.0)
        self._http = urllib3.PoolManager(maxsize=4, retries=False, timeout=timeout)

    def require_gateways(self) -> None:
        """See that there is something to attach routes to; raise OperationError `gateway-missing`.

        A route that names no Gateway would take the live version out of the traffic, too.
        """
        for gateway in self._gateways:
            if self._cluster.get(self._names.gateway(gateway.name)) is None:
                raise OperationError(
                    "gateway-missing",
                    f"the cluster has no Gateway {gateway.name} in {self._names.platform},"
                    " or no Gateway API",
                    hint=f"deployer doctor --env {self._names.environment} says which of them is"
                    " missing, and how to get it",
                )

    def write(self, record: ServiceRecord) -> None:
        """Have both routes as the record says; raise StaleFenceError when a later holder wrote."""
        for gateway in self._gateways:
            self._write(record, gateway)

    def confirm(
        self,
        record: ServiceRecord,
        *,
        answering: tuple[Slot, ...] = tuple(Slot),
        while_: Callable[[], None] = lambda: None,
    ) -> None:
        """Return when both Gateways serve what the record says.

        A slot of `answering` that gets traffic must be seen to answer. Raises OperationError
        `gateway-refused` with the Gateway's reason, `route-not-taken`, or what `while_` raises, which is
        called as long as it is waited.
        """
        deadline = time.monotonic() + CONFIRM_SECONDS
        for gateway in self._gateways:
            while not self._accepted(record, gateway) or not self._serves(
                record, gateway, answering
            ):
                if time.monotonic() > deadline:
                    raise self._not_taken(record, gateway)
                while_()
                time.sleep(TRY_SECONDS)

    def strayed(self, record: ServiceRecord) -> tuple[str, ...]:
        """Return a sentence for each route that is not as the record says: somebody edited it."""
        found = []
        for gateway in self._gateways:
            name = _route_name(record.service, gateway)
            route = self._cluster.get(self._names.route(record.service, name))
            if route is None:
                found.append(f"the HTTPRoute {name} was deleted")
            elif not self._same(route, record, gateway):
                weights = _weights_of(route)
                found.append(f"the HTTPRoute {name} was edited: it gives {weights}")
        return tuple(found)

    def _write(self, record: ServiceRecord, gateway: Gateway) -> None:
        service = record.service
        path = self._names.route(service, _route_name(service, gateway))
        while True:
            found = self._cluster.get(path)
            seen = annotation(found, FENCE)
            if seen is not None and int(seen) > record.fence:
                raise StaleFenceError(service, record.fence)
            if found is not None and self._same(found, record, gateway):
                return
            body = self._route(record, gateway)
            if found is not None:  # conditional: whoever wrote in between is looked at first
                body["metadata"]["resourceVersion"] = metadata(found)["resourceVersion"]
            try:
                self._cluster.apply(path, body)
            except ObjectChanged:
                continue
            return

    def _same(self, route: Object, record: ServiceRecord, gateway: Gateway) -> bool:
        wanted = self._route(record, gateway)
        return annotation(route, MARK) == annotation(wanted, MARK) and _weights_of(
            route
        ) == _weights_of(wanted)

    def _route(self, record: ServiceRecord, gateway: Gateway) -> Object:
        service = record.service
        mark = _mark(record)
        annotations = {
            FENCE: str(record.fence),
            LIVE: str(record.live or ""),
            MARK: mark,
        }
        parent = {"name": gateway.name, "namespace": self._names.platform}
        hidden = () if gateway.internal else self._hidden(service)
        return {
            "apiVersion": API,
            "kind": "HTTPRoute",
            "metadata": {
                "name": _route_name(service, gateway),
                "labels": {
                    "app.kubernetes.io/name": service,
                    "app.kubernetes.io/part-of": "platform",
                },
                "annotations": annotations,
            },
            "spec": {
                "parentRefs": [parent],
                "rules": list(_rules(record, mark, gateway, hidden)),
            },
        }

    def _accepted(self, record: ServiceRecord, gateway: Gateway) -> bool:
        """Whether the Gateway has taken this generation of the route in."""
        name = _route_name(record.service, gateway)
        route = self._cluster.get(self._names.route(record.service, name)) or {}
        generation = (route.get("metadata") or {}).get("generation")
        for parent in (route.get("status") or {}).get("parents", ()):
            if parent["parentRef"].get("name") != gateway.name:
                continue
            current = {
                each["type"]: each
                for each in parent.get("conditions", ())
                if each.get("observedGeneration", generation) == generation
            }
            refused = [
                each
                for kind in ("Accepted", "ResolvedRefs")
                if (each := current.get(kind)) and each["status"] == "False"
            ]
            if refused and refused[0]["reason"] not in {"BackendNotFound", "Pending"}:
                raise _refused(name, gateway, refused[0])
            if "Accepted" in current and not refused:
                return True
        return False

    def _serves(self, record: ServiceRecord, gateway: Gateway, answering: tuple[Slot, ...]) -> bool:
        """Whether ten probes in a row go by this very route, and reach who should answer."""
        asked = [(slot, held.weight) for slot, held in record.slots if slot in answering]
        full = [slot for slot, weight in asked if weight == 100]
        if not self._probe(record, gateway, "any", by=full):
            return False
        # A Gateway may hear of new pods later than of new weights: only then is its word 503.
        some = [slot for slot, weight in asked if 0 < weight < 100 and gateway.internal]
        return all(self._probe(record, gateway, slot, by=[slot]) for slot in some)

    def _probe(
        self, record: ServiceRecord, gateway: Gateway, value: str, *, by: Sequence[Slot]
    ) -> bool:
        mark = _mark(record)
        url = f"{gateway.url}/{record.service}/api"
        headers = {PROBE: str(value), "Connection": "close"}  # to each replica of the Gateway
        try:
            answers = [self._http.request("GET", url, headers=headers) for _ in range(PROBES)]
        except urllib3.exceptions.HTTPError:
            return False
        return all(
            answer.headers.get(MARK) == mark
            and all(f"({slot})" in answer.headers.get("X-Served-By", "") for slot in by)
            for answer in answers
        )

    def _not_taken(self, record: ServiceRecord, gateway: Gateway) -> OperationError:
        return OperationError(
            "route-not-taken",
            f"the Gateway {gateway.name} ({gateway.url}) does not serve {record.service} as asked"
            f" after {CONFIRM_SECONDS:g} s",
            hint="deployer doctor; kubectl describe httproute "
            f"-n {self._names.namespace(record.service)} {_route_name(record.service, gateway)}",
        )


def _route_name(service: ServiceName, gateway: Gateway) -> str:
    return f"{service}-internal" if gateway.internal else str(service)


def _mark(record: ServiceRecord) -> str:
    """Return what tells this state of the route from every other."""
    facts = [[str(slot), held.release.digest, held.weight] for slot, held in record.slots]
    text = json.dumps([record.fence, record.live, facts])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _rules(
    record: ServiceRecord, mark: str, gateway: Gateway, hidden: tuple[str, ...]
) -> tuple[Object, ...]:
    service = record.service
    path = {"type": "PathPrefix", "value": f"/{service}/api"}
    strip = _rewrite({"type": "ReplacePrefixMatch", "replacePrefixMatch": "/api"})
    inward = [strip] if gateway.internal else [strip, _without(INNER_HEADERS)]
    tell = {
        "type": "ResponseHeaderModifier",
        "responseHeaderModifier": {"set": [{"name": MARK, "value": mark}]},
    }
    backends = [_backend(service, slot, held.weight) for slot, held in record.slots]
    closed = [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": f"/{service}{prefix}"}}],
            "filters": [_rewrite({"type": "ReplaceFullPath", "replaceFullPath": "/not-found"})],
            "backendRefs": backends,
        }
        for prefix in hidden
    ]
    probed = {
        "matches": [{"path": path, "headers": [_header("any")]}],
        "filters": [*inward, tell],
        "backendRefs": backends,
    }
    named = [
        {
            "matches": [{"path": path, "headers": [_header(slot)]}],
            "filters": [strip, tell],
            "backendRefs": [_backend(service, slot, 1)],
        }
        for slot, _ in record.slots
        if gateway.internal
    ]
    open_to_all = {"matches": [{"path": path}], "filters": inward, "backendRefs": backends}
    return (*closed, *named, probed, open_to_all)


def _rewrite(path: Mapping[str, str]) -> Object:
    return {"type": "URLRewrite", "urlRewrite": {"path": dict(path)}}


def _without(headers: Iterable[str]) -> Object:
    remove = {"remove": list(headers)}
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": remove}


def _header(value: str) -> Object:
    return {"name": PROBE, "type": "Exact", "value": str(value)}


def _backend(service: ServiceName, slot: Slot, weight: int) -> Object:
    return {"name": f"{service}-{slot}", "port": SERVICE_PORT, "weight": weight}


def _weights_of(route: Object) -> dict[str, int]:
    """Return the weights by which a route shares out what is open to all."""
    rules = route["spec"].get("rules") or [{}]
    return {each["name"]: each.get("weight", 1) for each in rules[-1].get("backendRefs", ())}


def _refused(name: str, gateway: Gateway, condition: Object) -> OperationError:
    return OperationError(
        "gateway-refused",
        f"the Gateway {gateway.name} refuses the HTTPRoute {name}:"
        f" {condition['reason']}: {condition.get('message', '')}",
        hint="deployer doctor looks at the Gateways and the namespaces that they admit",
    )
