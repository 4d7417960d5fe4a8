"""What the API server's answers mean to us.

ObjectExists   somebody was faster in making it: read it
ObjectChanged  somebody else wrote it since it was read: read it again and decide anew

Both are for the code that writes; everything else becomes an error that a user is told:
`forbidden`, `cluster-refused`, `cluster-unreachable`.
"""

from __future__ import annotations

import json
import re

from deployer.errors import DeployerError, OperationError

# Not now, but perhaps soon: too many requests, no leader, a restart, a load balancer without anyone.
PASSING = frozenset({429, 500, 502, 503, 504})
NAMESPACE_ABSENT = re.compile(r'namespaces "([^"]+)" not found')
VERBS = {
    "GET": "read",
    "POST": "create",
    "PUT": "replace",
    "PATCH": "change",
    "DELETE": "delete",
}


class ObjectExists(Exception):  # noqa: N818  # an answer, not an error
    """There is an object of that name already."""


class ObjectChanged(Exception):  # noqa: N818  # an answer, not an error
    """The object is not as it was when it was read, or not there any more."""


def message_of(data: bytes) -> str:
    """Return the sentence of a Status, or the text as it is."""
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data.decode("utf-8", "replace").strip()[:500] or "no reason given"


def refusal(method: str, path: str, status: int, data: bytes) -> DeployerError:
    """Return the error for an answer that no further try makes better."""
    if status in {401, 403}:
        return OperationError(
            "forbidden",
            f"the cluster does not let us {VERBS[method]} {path.partition('?')[0]}: {message_of(data)}",
            hint="use an identity with the right, or have it granted: deployer doctor names them all",
        )
    absent = NAMESPACE_ABSENT.search(message_of(data))
    if absent:
        return OperationError(
            "namespace-missing",
            f"the cluster has no namespace {absent[1]}",
            hint="deployer up --env NAME makes an environment's namespaces; see `namespace` in its file",
        )
    return OperationError(
        "cluster-refused",
        f"the cluster refused to {VERBS[method]} {path.partition('?')[0]} ({status}): {message_of(data)}",
        hint="mend what it names; deployer doctor looks for what is missing",
    )


def unreachable(url: str, cause: str) -> OperationError:
    """Return the error for an API server that does not answer."""
    return OperationError(
        "cluster-unreachable",
        f"the API server {url} does not answer: {cause}",
        hint="see that it runs and that the context is the right one: kubectl cluster-info",
    )
