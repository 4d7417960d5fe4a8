"""A connection to an API server.

Requests go through the pool and the credentials that the `kubernetes` package sets up from a
kubeconfig or from a pod's own account. An API server that is away is waited for: everything asked
here may be asked twice with the same result, but for `create`, whose second try may find its own
object there (`ObjectExists`).
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from deployer.cluster.answers import (
    PASSING,
    ObjectChanged,
    ObjectExists,
    message_of,
    refusal,
    unreachable,
)
from deployer.cluster.objects import Object
from deployer.errors import InputError

if TYPE_CHECKING:
    import urllib3

MANAGER = "deployer"  # the field manager of what we own in an object
PATIENCE_SECONDS = 60.0  # an API server that restarts is back after 10 to 30 s
REQUEST_SECONDS = 10.0
PAUSE_SECONDS = (0.05, 2.0)  # before the second try, and at most
CONNECTIONS = 16  # four services at once, each with looks, probes and writes

JSON_TYPE = "application/json"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"  # JSON is YAML


class Cluster:
    """Objects of one cluster, by the API's paths."""

    def __init__(
        self,
        url: str,
        pool: urllib3.PoolManager,
        *,
        credentials: Callable[[], Mapping[str, str]] = dict,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.url = url.rstrip("/")
        self.pool = pool
        self._credentials = credentials
        self._patience_seconds = patience_seconds

    @classmethod
    def connect(cls, context: str = "", *, patience_seconds: float = PATIENCE_SECONDS) -> Cluster:
        """Return a connection by a context of the kubeconfig, or in a pod by its own account.

        Raises InputError `cluster-unknown` when there is no such context. Asks the server nothing.
        """
        import kubernetes.client  # noqa: PLC0415  # 1.4 s
        import kubernetes.config  # noqa: PLC0415

        configuration = kubernetes.client.Configuration()
        configuration.connection_pool_maxsize = CONNECTIONS
        configuration.retries = False
        try:
            if in_pod():
                kubernetes.config.load_incluster_config(client_configuration=configuration)
            else:
                kubernetes.config.load_kube_config(
                    os.environ.get("KUBECONFIG"),  # as it is now: it remembers what it was once
                    context=context or None,
                    client_configuration=configuration,
                )
        except kubernetes.config.ConfigException as error:
            raise _unknown(context, error) from error
        client = kubernetes.client.ApiClient(configuration)

        def credentials() -> Mapping[str, str]:  # a token may be renewed: asked each time
            headers: dict[str, str] = {}
            client.update_params_for_auth(headers, [], ["BearerToken"])
            return headers

        return cls(
            configuration.host,
            client.rest_client.pool_manager,
            credentials=credentials,
            patience_seconds=patience_seconds,
        )

    @property
    def pages(self) -> urllib3.PoolManager:
        """A pool that says who we are with every request: for pages that are read by URL."""
        return _authenticated(self.pool, self._credentials)

    def get(self, path: str) -> Object | None:
        """Return the object at a path, or None when there is none."""
        status, data = self._ask("GET", path, accepted={404})
        return None if status == 404 else _read(data)

    def list(self, path: str, *, labels: str = "", fields: str = "") -> tuple[Object, ...]:
        """Return the objects of a collection, those that the selectors choose."""
        selectors = {"labelSelector": labels, "fieldSelector": fields}
        query = urlencode({name: value for name, value in selectors.items() if value})
        status, data = self._ask("GET", f"{path}?{query}" if query else path, accepted={404})
        return () if status == 404 else tuple(_read(data)["items"])

    def create(self, path: str, body: Object) -> Object:
        """Make an object in a collection; raise ObjectExists when its name is taken."""
        status, data = self._ask("POST", path, body, accepted={409})
        if status == 409:
            raise ObjectExists(message_of(data))
        return _read(data)

    def replace(self, path: str, body: Object) -> Object:
        """Replace an object that was read before; raise ObjectChanged when it changed since."""
        status, data = self._ask("PUT", path, body, accepted={404, 409})
        if status in {404, 409}:
            raise ObjectChanged(message_of(data))
        return _read(data)

    def apply(self, path: str, body: Object) -> Object:
        """Have the object's fields as in `body`, whoever set them before (server-side apply).

        Raises ObjectChanged when `body` names a `resourceVersion` that is not the current one.
        """
        query = urlencode({"fieldManager": MANAGER, "force": "true"})
        status, data = self._ask(
            "PATCH", f"{path}?{query}", body, content_type=APPLY, accepted={409}
        )
        if status == 409:
            raise ObjectChanged(message_of(data))
        return _read(data)

    def patch(self, path: str, body: Object) -> Object | None:
        """Merge `body` into an object; return it, or None when there is none.

        Raises ObjectChanged when `body` names a `resourceVersion` that is not the current one.
        """
        status, data = self._ask("PATCH", path, body, content_type=MERGE, accepted={404, 409})
        if status == 409:
            raise ObjectChanged(message_of(data))
        return None if status == 404 else _read(data)

    def delete(self, path: str) -> None:
        """Delete an object and what belongs to it; nothing happens when it is gone."""
        options = {"propagationPolicy": "Background"}
        self._ask("DELETE", path, options, accepted={404, 409})

    def text(self, path: str) -> str:
        """Return what a path answers as text, such as a log; empty when there is none."""
        status, data = self._ask("GET", path, accepted={400, 404})
        return "" if status in {400, 404} else data.decode("utf-8", "replace")

    def answers(self, path: str = "/version") -> bool:
        """Whether the API server answers a path now, without waiting for it."""
        return self._try("GET", path, None, {})[0] == 200

    def _ask(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        content_type: str = JSON_TYPE,
        accepted: AbstractSet[int] = frozenset(),
    ) -> tuple[int, bytes]:
        deadline = time.monotonic() + self._patience_seconds
        pause, longest = PAUSE_SECONDS
        while True:
            status, data = self._try(method, path, body, {"Content-Type": content_type})
            if 200 <= status < 300 or status in accepted:
                return status, data
            if status and status not in PASSING:
                raise refusal(method, path, status, data)
            if time.monotonic() + pause > deadline:
                raise unreachable(self.url, message_of(data))
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # spreads tries, hides nothing
            pause = min(longest, 2 * pause)

    def _try(
        self, method: str, path: str, body: Object | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        import urllib3  # noqa: PLC0415  # 60 ms that commands without a cluster do not pay

        try:
            answer = self.pool.request(
                method,
                self.url + path,
                body=None if body is None else json.dumps(body),
                headers={"Accept": JSON_TYPE, **headers, **self._credentials()},
                timeout=urllib3.Timeout(total=REQUEST_SECONDS),
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return 0, str(error).encode()
        return answer.status, answer.data


def in_pod() -> bool:
    """Whether we are a pod with no kubeconfig: then its own account counts, and no context's name."""
    if "KUBERNETES_SERVICE_HOST" not in os.environ:
        return False
    places = os.environ.get("KUBECONFIG", "~/.kube/config").split(os.pathsep)
    return not any(Path(place).expanduser().is_file() for place in places if place)


def _authenticated(
    pool: urllib3.PoolManager, credentials: Callable[[], Mapping[str, str]]
) -> urllib3.PoolManager:
    import urllib3  # noqa: PLC0415  # as above

    class Authenticated(urllib3.PoolManager):
        def request(  # type: ignore[override]
            self,
            method: str,
            url: str,
            *,
            headers: Mapping[str, str] | None = None,
            **others: Any,  # noqa: ANN401  # whatever urllib3 takes
        ) -> urllib3.BaseHTTPResponse:
            return pool.request(method, url, headers={**(headers or {}), **credentials()}, **others)

    return Authenticated()


def _read(data: bytes) -> Object:
    found: dict[str, Any] = json.loads(data)
    return found


def _unknown(context: str, error: Exception) -> InputError:
    what = f"the kubeconfig has no context {context!r}" if context else "there is no kubeconfig"
    return InputError(
        "cluster-unknown",
        f"{what}: {error}",
        hint="see which there are: kubectl config get-contexts; and set `context` under [kubernetes]"
        " in the environment's file",
    )
