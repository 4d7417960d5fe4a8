"""Stories: what a customer does with each service, as data that the service brings itself.

`services/<name>/story.toml` has steps, played once and in order, and traffic, repeated for ever. A
copy of this repository with other services has a story as soon as they bring theirs.
"""

from __future__ import annotations

import json
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

import urllib3

from deployer.errors import InputError, OperationError
from deployer.model import ServiceName
from deployer.workspace import Workspace

JsonValue = object  # what TOML and JSON have in common

_VARIABLE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a story. `path` begins with the service's name, as at the router."""

    service: ServiceName
    method: str
    path: str
    says: str = ""
    json: JsonValue = None
    headers: tuple[tuple[str, str], ...] = ()
    expect: int = 200
    save: tuple[tuple[str, str], ...] = ()
    internal: bool = False
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Story:
    """What one service brings."""

    service: ServiceName
    needs: tuple[ServiceName, ...]
    steps: tuple[Call, ...]
    traffic: tuple[Call, ...]


@dataclass(slots=True)
class Customer:
    """Somebody who plays stories: the router's two addresses and what was remembered so far."""

    public_url: str
    internal_url: str
    known: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known.setdefault("customer", f"customer-{secrets.token_hex(4)}")
        self.known.setdefault("password", secrets.token_urlsafe(16))

    def play(self, call: Call, http: urllib3.PoolManager) -> urllib3.BaseHTTPResponse:
        """Do one call, remember what it says to save, and return the answer.

        Raises OperationError `story-broken` when the answer is not the expected one.
        """
        answer = self.send(call, http)
        if answer.status != call.expect:
            raise OperationError(
                "story-broken",
                f"{call.method} {call.path} answered {answer.status}, not {call.expect}",
                hint=f"read services/{call.service}/story.toml and the service's log",
                details=(answer.data.decode(errors="replace")[:500],),
            )
        self.remember(call, answer)
        return answer

    def remember(self, call: Call, answer: urllib3.BaseHTTPResponse) -> None:
        """Keep what the call says to save of an answer: a token, an id."""
        for variable, key in call.save:
            self.known[variable] = str(_dig(json.loads(answer.data), key))

    def send(self, call: Call, http: urllib3.PoolManager) -> urllib3.BaseHTTPResponse:
        """Do one call and return whatever comes back."""
        headers = {key: self._fill(value) for key, value in call.headers}
        body = None
        if call.json is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(self._fill_all(call.json))
        base = self.internal_url if call.internal else self.public_url
        return http.request(call.method, base + self._fill(call.path), body=body, headers=headers)

    def _fill(self, text: str) -> str:
        return _VARIABLE.sub(lambda found: self._value(found[1]), text)

    def _value(self, name: str) -> str:
        if name == "unique":
            return secrets.token_hex(8)
        if name not in self.known:
            raise OperationError(
                "story-broken",
                f"a story speaks of {{{name}}}, which no step before it saved",
                hint=f'give an earlier step save = {{ {name} = "key.of.the.answer" }}',
            )
        return self.known[name]

    def _fill_all(self, value: JsonValue) -> JsonValue:
        if isinstance(value, str):
            whole = _VARIABLE.fullmatch(value)
            filled = self._fill(value)
            # A number that was saved goes back as a number.
            return int(filled) if whole and filled.isdecimal() else filled
        if isinstance(value, list):
            return [self._fill_all(each) for each in value]
        if isinstance(value, dict):
            return {key: self._fill_all(each) for key, each in value.items()}
        return value


def stories(workspace: Workspace) -> tuple[Story, ...]:
    """Read every service's story, each after those it needs."""
    told = {service: _read(workspace, service) for service in workspace.services}
    ordered: list[Story] = []

    def tell(service: ServiceName, above: tuple[ServiceName, ...]) -> None:
        if service in above:
            circle = " -> ".join((*above, service))
            raise InputError(
                "story-broken", f"the stories need each other: {circle}", hint="break the circle"
            )
        for need in told[service].needs:
            tell(need, (*above, service))
        if told[service] not in ordered:
            ordered.append(told[service])

    for service in workspace.services:
        tell(service, ())
    return tuple(ordered)


def _read(workspace: Workspace, service: ServiceName) -> Story:
    path = workspace.folder(service) / "story.toml"
    if not path.exists():
        return Story(service, (), (), ())
    try:
        data = tomllib.loads(path.read_text())
        return Story(
            service,
            tuple(workspace.service(need) for need in data.get("needs", ())),
            tuple(read_call(service, row) for row in data.get("step", ())),
            tuple(read_call(service, row) for row in data.get("traffic", ())),
        )
    except (tomllib.TOMLDecodeError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            "story-broken",
            f"services/{service}/story.toml: {type(error).__name__}: {error}",
            hint='each [[step]] and [[traffic]] needs call = "GET /service/api/v1/..."',
        ) from error


def read_call(service: ServiceName, row: Mapping[str, JsonValue]) -> Call:
    """Make a call of its row in a TOML file; raise KeyError, TypeError or ValueError if it is none."""
    method, path = str(row["call"]).split(maxsplit=1)
    via = row.get("via", "public")
    if via not in {"public", "internal"}:
        message = f"via must be public or internal, not {via!r}"
        raise ValueError(message)
    return Call(
        service=service,
        method=method,
        path=path,
        says=str(row.get("says", "")),
        json=row.get("json"),
        headers=_pairs(row.get("headers")),
        expect=_integer(row.get("expect", 200)),
        save=_pairs(row.get("save")),
        internal=via == "internal",
        weight=_integer(row.get("weight", 1)),
    )


def _pairs(table: JsonValue) -> tuple[tuple[str, str], ...]:
    if not isinstance(table, dict):
        return ()
    return tuple((str(key), str(value)) for key, value in table.items())


def _integer(value: JsonValue) -> int:
    if not isinstance(value, int):
        message = f"{value!r} is no whole number"
        raise TypeError(message)
    return value


def _dig(data: JsonValue, key: str) -> JsonValue:
    for part in key.split("."):
        if isinstance(data, list):
            data = data[int(part)]
        elif isinstance(data, dict):
            data = data[part]
    return data
