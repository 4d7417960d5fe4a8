"""Where a request comes from: the client's address, as the router in front of the instance saw it.

Each proxy appends to X-Forwarded-For the address that it was called from, and the client may begin the list with
whatever it likes. So the list is read from its end, as far as there are proxies of ours (`PLATFORM_PROXIES`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, has_request_context, request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# One customer has a whole /64 of IPv6: RFC 6177, 2. Its addresses are one client.
IPV6_CLIENT_BITS = 64


def trust_proxies(app: Flask, count: int) -> None:
    """Take the client's address from X-Forwarded-For, which the nearest `count` proxies wrote."""
    if count:
        app.wsgi_app = _Proxied(app.wsgi_app, count)  # type: ignore[method-assign]


class _Proxied:
    """The app behind proxies. werkzeug's ProxyFix does the same, and looks at five headers for it instead of one."""

    def __init__(self, wsgi: WSGIApplication, count: int) -> None:
        self._wsgi = wsgi
        self._count = count

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        forwarded = environ.get("HTTP_X_FORWARDED_FOR")
        if forwarded:
            addresses = forwarded.split(",")
            if len(addresses) >= self._count:
                environ["REMOTE_ADDR"] = addresses[-self._count].strip()
        return self._wsgi(environ, start_response)


def client_address() -> str | None:
    """Return the address of the current request's client (of IPv6, its network); None outside of a request.

    Also None where the proxy wrote something that is no address.
    """
    if not has_request_context():
        return None
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    network = ipaddress.ip_network((address, IPV6_CLIENT_BITS), strict=False)
    return str(network)
