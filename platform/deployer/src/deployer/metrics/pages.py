"""Pages that are fetched, directly or through the API server, and whose doing it is when one is not there.

Kubernetes lets the deployer read a pod's port through the API server: .../pods/NAME:9000/proxy/...
Then two can fail, and they must be told apart, because an instance that is down is a reason to roll
back and an API server that is down is none:

- A connection to the API server that fails, and an answer in which it speaks of itself (a `Status`
  object: too many requests, not authenticated, an error of its own): the page is `UNSEEN`.
- Its 503 "error trying to reach service": it tried, and the pod refused. The page is `DOWN`.
- Its 404: the pod was deleted since it was listed. The page is `GONE`.
- Any other answer is the pod's own: with another status than 200 the page is `DOWN`.
- No answer in time: `HUNG`, and the caller asks a control question (see `instances`).

A page that is read directly is there or `DOWN`; `HUNG` if it did not answer in time.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from deployer.errors import OperationError

if TYPE_CHECKING:
    import urllib3

SECONDS = 1.0  # the longest that one page is waited for
# A kept connection that an instance has just closed would look like a dead instance.
_FRESH = {"Connection": "close"}
_PROXIED = re.compile(
    r"^(?P<origin>https?://.+?)/api/v1/namespaces/[^/]+/(?:pods|services)/[^/]+/proxy"
)
_REFUSED = "error trying to reach service"  # apimachinery, util/proxy/transport.go


class Told(Enum):
    """What came of asking for a page."""

    ANSWERED = auto()
    DOWN = auto()
    HUNG = auto()
    GONE = auto()
    UNSEEN = auto()


@dataclass(frozen=True, slots=True)
class Page:
    """A page's text, when it answered."""

    told: Told
    text: str = ""


HUNG = Page(Told.HUNG)


def api_server_of(url: str) -> str | None:
    """Return the address of the API server that a page is read through; None for a direct one."""
    match = _PROXIED.match(url)
    return match["origin"] if match else None


def fetch(pool: urllib3.PoolManager, url: str) -> Page:
    """Return a page, within about a second unless its server drips.

    Raises OperationError `forbidden` when the deployer may not read pods through the API server:
    that will not pass by itself.
    """
    import urllib3  # noqa: PLC0415  # 60 ms that commands without metrics do not pay

    proxied = api_server_of(url) is not None
    try:
        answer = _get(pool, url, kept=proxied)
    except urllib3.exceptions.ReadTimeoutError:
        return HUNG
    except urllib3.exceptions.HTTPError:
        return Page(Told.UNSEEN if proxied else Told.DOWN)
    body = answer.data.decode("utf-8", "replace")
    if answer.status == 200:
        return Page(Told.ANSWERED, body)
    return Page(_judged(url, body) if proxied else Told.DOWN)


def control(pool: urllib3.PoolManager, server: str) -> Page:
    """Ask an API server for its version: whatever it answers, it is there."""
    import urllib3  # noqa: PLC0415

    try:
        _get(pool, f"{server}/version", kept=True)
    except urllib3.exceptions.HTTPError:
        return Page(Told.DOWN)
    return Page(Told.ANSWERED)


def _get(pool: urllib3.PoolManager, url: str, *, kept: bool) -> urllib3.BaseHTTPResponse:
    """Ask once; a second time if a kept connection turns out to have been closed meanwhile.

    Connections to the API server are kept: a TLS handshake a page and look costs more than the page.
    """
    import urllib3  # noqa: PLC0415

    def get() -> urllib3.BaseHTTPResponse:
        # A header of its own would replace those that authenticate the pool.
        headers = None if kept else {**pool.headers, **_FRESH}
        return pool.request(
            "GET",
            url,
            headers=headers,
            retries=False,
            redirect=False,
            timeout=urllib3.Timeout(total=SECONDS),
        )

    try:
        return get()
    except urllib3.exceptions.ProtocolError:
        if not kept:
            raise
        return get()


def _judged(url: str, body: str) -> Told:
    status = _status_of(body)
    if status is None:
        return Told.DOWN
    message = str(status.get("message", ""))
    match status.get("code"):
        case 403:
            raise OperationError(
                "forbidden",
                f"the API server does not let the deployer read {url}: {message}",
                hint="let its account `get` and `create` the subresource pods/proxy there",
            )
        case 404:
            return Told.GONE
        case 400:  # "address not allowed": the pod has no address
            return Told.DOWN
        case 503 if message.startswith(_REFUSED):
            return Told.DOWN
        case _:
            return Told.UNSEEN


def _status_of(body: str) -> dict[str, object] | None:
    """Return the API server's own word, None for a body that is the pod's."""
    try:
        said = json.loads(body)
    except ValueError:
        return None
    ours = isinstance(said, dict) and (said.get("kind"), said.get("apiVersion")) == ("Status", "v1")
    return said if ours else None
