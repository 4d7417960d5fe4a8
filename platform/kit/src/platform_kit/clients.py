"""How a service calls another one: through the router's inner listener, with a time-out and the request id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from platform_kit.errors import ServiceUnreachable
from platform_kit.requests import current_request_id

if TYPE_CHECKING:
    import httpx


class ServiceClient:
    """Calls `<router_url>/<service>/api/v1/...`. One for each service, shared by all threads."""

    def __init__(self, router_url: str, service: str, *, timeout_seconds: float = 2.0) -> None:
        import httpx  # noqa: PLC0415 - only services that call others pay for it

        self.service = service
        self._client = httpx.Client(
            base_url=f"{router_url.rstrip('/')}/{service}/api/v1/",
            timeout=timeout_seconds,
            trust_env=False,  # a proxy from the environment has no business inside the platform
            # Without https there is no use in loading the system's certificates: 5 MB, 20 ms.
            verify=router_url.startswith("https://"),
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return the answer, whatever its status; raise `ServiceUnreachable` when there is none.

        `path` is below /api/v1: `reservations/7`.
        """
        import httpx  # noqa: PLC0415 - see above

        sent = dict(headers or {})
        if request_id := current_request_id():
            sent.setdefault("X-Request-Id", request_id)
        try:
            return self._client.request(method, path.lstrip("/"), json=json, headers=sent)
        except httpx.TransportError as error:
            cause = str(error) or type(error).__name__
            raise ServiceUnreachable(self.service, cause=cause) from error

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._client.close()
