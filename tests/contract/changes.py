"""Changes of an interface, laid over the real app: those that break a consumer, and those that must not.

A change is a row of a provider's `changes.toml`. `on` says which requests it is about, by a method and the
beginning of a path, or which message, by its name. `request` and `answer` say what becomes of them, in the
words of the tables below; what a message says is an answer without a request.
"""

from __future__ import annotations

import io
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from contract.provider import App, Provider
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """A row. `breaks` is an interaction that it breaks; `tried`, a call that shows it where no contract can."""

    kind: str
    on: str
    request: Mapping[str, Any] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)
    breaks: str | None = None
    tried: str | None = None
    tried_with: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return self.kind.replace(" ", "-")

    def is_about(self, call: str) -> bool:
        """Whether a call, `PUT /path`, or a message is one that the change is about."""
        return call.startswith(self.on)

    def narrow(self, contracts: Sequence[Path], into: Path, *, provider: str) -> list[Path]:
        """Write what the contracts say of what it is about into a folder; return the files. The rest it leaves alone."""
        narrowed = []
        for path in contracts:
            contract = json.loads(path.read_text(encoding="utf-8"))
            rows = [row for row in contract["interactions"] if self.is_about(_line(row, provider))]
            if rows:
                narrowed.append(into / path.name)
                narrowed[-1].write_text(json.dumps({**contract, "interactions": rows}))
        return narrowed


class Changed:
    """The app with a change laid over it. `seen` counts the answers that came out otherwise than the app's own."""

    def __init__(self, app: App, change: Change) -> None:
        self._app = app
        self._change = change
        self.seen = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        # Read once, so that both the change and the app can.
        environ["wsgi.input"] = io.BytesIO(Request(environ).get_data())
        request = Request(environ)
        if not self._change.is_about(f"{request.method} {request.path}"):
            return self._app(environ, start_response)
        answer = self._answer(request)
        return answer(environ, start_response)

    def speaking(self, provider: Provider) -> Provider:
        """Return the provider with the change laid over its messages too."""
        messages = {name: partial(self._said, name, say) for name, say in provider.messages.items()}
        return replace(provider, messages=messages)

    def is_shown(self) -> bool:
        """Whether the change was seen, or shows itself by its own call."""
        return self.seen > 0 or (self._change.tried is not None and self._shows(self._change.tried))

    def _shows(self, tried: str) -> bool:
        method, path = tried.split(" ")
        calls = (
            Client(app).open(path, method=method, json=self._change.tried_with)
            for app in (self._app, self)
        )
        before, after = ((call.status_code, call.data) for call in calls)
        return before != after

    def _said(self, name: str, say: Callable[[], Any]) -> Body:
        content: Body = say()
        if not self._change.is_about(name):
            return content
        for word, wanted in self._change.answer.items():
            content = BODIES[word](content, wanted)
        self.seen += 1
        return content

    def _answer(self, request: Request) -> Response:
        for word, wanted in self._change.request.items():
            refusal = REQUESTS[word](request, wanted)
            if refusal is not None:
                self.seen += 1
                return refusal
        request.environ["wsgi.input"].seek(0)
        answer = Response.from_app(self._app, request.environ)
        before = _content(answer)
        for word, wanted in self._change.answer.items():
            ANSWERS[word](answer, wanted)
        self.seen += before != _content(answer)
        return answer


def changes(path: Path) -> tuple[list[Change], list[Change]]:
    """Return the changes of a file: those that break, and those that do not."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))
    return [Change(**row) for row in rows["breaking"]], [Change(**row) for row in rows["harmless"]]


def _line(row: Mapping[str, Any], provider: str) -> str:
    call = row.get("request")
    if call is None:
        return str(row["description"])
    return f"{call['method']} {call['path'].removeprefix(f'/{provider}')}"


def _content(answer: Response) -> tuple[object, ...]:
    return answer.status_code, answer.headers.to_wsgi_list(), answer.get_data()


# What becomes of a request: an answer, where the change refuses it or serves it by itself.


def _moved(request: Request, to: str) -> Response | None:
    return None if request.path.startswith(to) else _problem(404, "not_found")


def _method(request: Request, other: str) -> Response | None:
    return None if request.method == other else Response(status=405, headers={"Allow": other})


def _needs_header(request: Request, name: str) -> Response | None:
    return None if name in request.headers else _problem(401, "token_missing")


def _needs_field(request: Request, name: str) -> Response | None:
    return None if name in request.get_json() else _problem(422, "invalid_request")


def _most(request: Request, most: int) -> Response | None:
    is_more = any(item["quantity"] > most for item in request.get_json()["items"])
    return _problem(422, "invalid_request") if is_more else None


def _least(request: Request, least: int) -> None:
    """Take less than the app itself would."""
    body = request.get_json()
    for item in body["items"]:
        item["quantity"] = max(least, item["quantity"])
    raw = json.dumps(body).encode()
    request.environ |= {"wsgi.input": io.BytesIO(raw), "CONTENT_LENGTH": str(len(raw))}


def _serves(_request: Request, body: Body) -> Response:
    return Response(json.dumps(body), content_type="application/json")


def _may_have(request: Request, name: str) -> Response | None:
    """An optional parameter: only who sends it is answered by it."""
    given = request.args.get(name) or (request.get_json(silent=True) or {}).get(name)
    return None if given is None else _serves(request, {name: given})


REQUESTS: Mapping[str, Callable[[Request, Any], Response | None]] = {
    "moved": _moved,
    "method": _method,
    "needs_header": _needs_header,
    "needs_field": _needs_field,
    "most": _most,
    "least": _least,
    "serves": _serves,
    "may_have": _may_have,
}


def _problem(status: int, code: str) -> Response:
    body = json.dumps({"status": status, "code": code})
    return Response(body, status=status, content_type="application/problem+json")


# What becomes of an answer.


def _on_body(edit: Callable[[Body, Any], object]) -> Callable[[Response, Any], None]:
    """Make an edit of a JSON body one of an answer; a body that lacks what is edited stays as it is."""

    def apply(answer: Response, wanted: Any) -> None:
        if not answer.is_json or not answer.get_data():
            return
        body = json.loads(answer.get_data())
        answer.set_data(json.dumps(edit(body, wanted)))

    return apply


def _status(answer: Response, status: int) -> None:
    if answer.status_code < 400:
        answer.status_code = status


def _headers(answer: Response, headers: Mapping[str, str]) -> None:
    if answer.status_code < 400:
        answer.headers.update(headers)


def _without(answer: Response, name: str) -> None:
    answer.headers.remove(name)


def _indent(answer: Response, width: int) -> None:
    if answer.is_json and answer.get_data():
        answer.set_data(json.dumps(json.loads(answer.get_data()), indent=width))


def _of(body: Body, wanted: tuple[str, str, Any]) -> Body:
    """Edit what is in a field, each item if it is a list: its name, the word of the edit, and its value."""
    name, word, value = wanted
    edit = BODIES[word]
    inner = body[name]
    edited = (
        [edit(each, value) for each in inner] if isinstance(inner, list) else edit(inner, value)
    )
    return {**body, name: edited}


def _date(body: Body, name: str) -> Body:
    """Say a time as a text, which was a number of seconds."""
    return {**body, name: datetime.fromtimestamp(body[name], tz=UTC).isoformat()}


BODIES: Mapping[str, Callable[[Body, Any], Any]] = {
    "drop": lambda body, name: {key: body[key] for key in body if key != name},
    "rename": lambda body, names: {names.get(key, key): body[key] for key in body},
    "put": lambda body, more: {**body, **more},
    "replace": lambda body, other: {key: other.get(key, body[key]) for key in body},
    "null": lambda body, name: {**body, name: None},
    "text": lambda body, name: {key: str(v) if key == name else v for key, v in body.items()},
    "number": lambda body, name: {key: float(v) if key == name else v for key, v in body.items()},
    "reword": lambda body, words: {
        key: words.get(v, v) if isinstance(v, str) else v for key, v in body.items()
    },
    "within": lambda body, name: {name: body},
    "listed": lambda body, _: [body],
    "keyed": lambda body, by: {
        **body,
        **{name: {item[key]: item for item in body[name]} for name, key in by.items()},
    },
    "more": lambda body, lists: {
        **body,
        **{name: [*body[name], *items] for name, items in lists.items()},
    },
    "emptied": lambda body, name: {**body, name: []},
    "reversed": lambda body, _: dict(reversed(body.items())),
    "of": _of,
    "date": _date,
}

ANSWERS: Mapping[str, Callable[[Response, Any], None]] = {
    "status": _status,
    "headers": _headers,
    "without": _without,
    "indent": _indent,
    **{word: _on_body(edit) for word, edit in BODIES.items()},
}
