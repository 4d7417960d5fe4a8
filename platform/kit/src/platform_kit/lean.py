"""Flask without what an app that speaks JSON below plain paths has no use for: it is a quarter of a short request.

No app of the kit has subdomains or rules for hosts, and most of its answers are bytes of a known length. What Flask and
werkzeug find out anew at each request for the sake of those is found out once here, or left out. Whatever is unusual
goes their way, so that no answer is another one than theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response
from werkzeug.routing import MapAdapter

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    Host = tuple[str, str | None, tuple[str, int | None] | None]

# These have a body, and headers that are about it.
_PLAIN_STATUSES = frozenset({200, 201, 202})
# What werkzeug makes a valid URI of before it is sent.
_REWRITTEN = frozenset({"location", "content-location"})
# A client may make up any number.
MOST_HOSTS = 64


class LeanResponse(Response):
    """An answer that is sent as it is, where there is nothing that werkzeug would change in its copy."""

    def get_wsgi_response(
        self, environ: WSGIEnvironment
    ) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """Return the body, the status and the headers to send."""
        body = self.response
        if (
            type(body) is list
            and len(body) == 1
            and type(body[0]) is bytes
            and not self._on_close
            and self.status_code in _PLAIN_STATUSES
            and environ["REQUEST_METHOD"] != "HEAD"
        ):
            headers = self.headers.to_wsgi_list()
            names = {name.lower() for name, _ in headers}
            if "content-length" in names and names.isdisjoint(_REWRITTEN):
                return body, self.status, headers
        return super().get_wsgi_response(environ)


class LeanFlask(Flask):
    """An app that knows the hosts that it is called by."""

    response_class = LeanResponse

    def __init__(self, name: str) -> None:
        """Take the app's name; it has no static files."""
        super().__init__(name, static_folder=None)
        self._in_sync: dict[Callable[..., Any], Callable[..., Any]] = {}
        self._hosts: dict[Host, MapAdapter | None] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return what calls a function, as Flask does, which looks anew at each call whether it is a coroutine."""
        known = self._in_sync.get(func)
        if known is None:
            known = self._in_sync[func] = super().ensure_sync(func)
        return known

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what matches a request, as Flask does, which reads and checks the host twice, and encodes it, for it.

        Raises `SecurityError` for a host that cannot be one.
        """
        if (
            request is None or "HTTP_UPGRADE" in request.environ
        ):  # to a WebSocket, which has rules of its own
            return super().create_url_adapter(request)
        host = (request.scheme, request.environ.get("HTTP_HOST"), request.server)
        known = self._hosts.get(host)
        if known is None:
            made = super().create_url_adapter(request)
            if len(self._hosts) < MOST_HOSTS:
                self._hosts[host] = made
            return made
        return MapAdapter(
            self.url_map,
            known.server_name,
            request.root_path,
            known.subdomain,
            known.url_scheme,
            request.path,
            request.method,
            request.query_string.decode(errors="replace"),
        )
