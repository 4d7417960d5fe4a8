"""What the layer round an app asks of its interface: which version a path is below, and whether an operation was called.

A version that is deprecated says so in every answer below its path, refusals included. After its sunset all of that is
410, and a preview is 404 where it is switched off. Asked by the path alone: what is below a version that stays pays
nothing for the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.exceptions import NotFound

from platform_kit.api.consumer import Consumers
from platform_kit.api.links import Links
from platform_kit.problems import Problem

if TYPE_CHECKING:
    from platform_kit.api.api import Api
    from platform_kit.api.version import Version
    from platform_kit.instance import Instance

API_PREFIX = "/api"


def prefix(version: Version) -> str:
    """Return what the paths of a version begin with."""
    return f"{API_PREFIX}/{version.name}"


def endpoint(version: Version, name: str) -> str:
    """Return Flask's name of a version's operation. A dot would name a blueprint."""
    return f"{version.name}/{name}"


@dataclass(frozen=True, slots=True)
class Ending:
    """A path `below` a version that ends, or that is not for everybody."""

    version: Version
    below: str
    successor: Version

    def headers(self) -> list[tuple[str, str]]:
        """Return what every answer says of it."""
        if self.version.deprecated is None:
            return []
        return [*self.version.dates().items(), ("Link", self.links().header())]

    def links(self) -> Links:
        """Return where to go instead."""
        return Links.to(self.successor, below=self.below)


class ServedApi:
    """The interface of one instance."""

    def __init__(self, api: Api, instance: Instance) -> None:
        self._api = api
        self._calls = instance.metrics.calls
        self._consumers = Consumers()
        self._preview_enabled = api.preview_enabled or (lambda: instance.settings.api_preview)
        self._not_for_ever = {
            prefix(version): version
            for version in api.versions
            if version.preview or version.deprecated is not None
        }
        self._called = {
            endpoint(version, operation.name): version.name
            for version in api.versions
            for operation in api.operations
        }

    def ending(self, path: str) -> Ending | None:
        """Return what there is to say of a path, as WSGI has it, whether there is such a route or not."""
        end = path.find("/", len(API_PREFIX) + 1)
        version = self._not_for_ever.get(path[:end] if end > 0 else path)
        if version is None:
            return None
        below = path.removeprefix(prefix(version)).encode("latin1").decode(errors="replace")
        return Ending(version, below, self._api.current)

    def refuse(self, ending: Ending) -> None:
        """Raise what keeps a request from being answered, if anything does: `NotFound`, or a 410 `Problem`."""
        version = ending.version
        if version.preview and not self._preview_enabled():
            raise NotFound
        if version.has_ended(self._api.clock()):
            raise _gone(version, ending.links())

    def count(self, called: str) -> None:
        """Count the current request if it is a call of an operation, by Flask's name of what was `called`."""
        version = self._called.get(called)
        if version is not None:
            self._calls.count(version, self._consumers.label())


def _gone(version: Version, links: Links) -> Problem:
    return Problem(
        410,
        "version_gone",
        f"{version.name} of this interface ended on {version.dates()['Sunset']}.",
        successor=links.resource,
        documentation=links.documentation,
    )
