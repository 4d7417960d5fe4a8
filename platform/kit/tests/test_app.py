"""The app that one call makes: identity, ids, problems, bodies."""

import json

import pytest
from flask import Blueprint, abort, redirect
from pydantic import BaseModel, Field

from platform_kit import Problem, current_request_id, parse


class Item(BaseModel):
    """A body."""

    name: str = Field(min_length=2)
    count: int


@pytest.fixture
def client(make_app):
    routes = Blueprint("things", __name__)

    @routes.get("/things/<int:thing>")
    def read(thing):
        return {"id": thing, "request_id": current_request_id()}

    @routes.post("/things")
    def write():
        return parse(Item).model_dump(), 201

    @routes.get("/gone")
    def gone():
        raise Problem(410, "thing_gone", "It was here.", headers={"Retry-After": "9"}, thing_id=7)

    @routes.get("/broken")
    def broken():
        raise RuntimeError("password=hunter2")

    @routes.get("/invalid")
    def invalid():
        return Item.model_validate({"name": "x"}).model_dump()

    @routes.get("/moved")
    def moved():
        return redirect("/api")

    @routes.get("/odd")
    def odd():
        raise Problem(499, "client_gone", "A status without a name.")

    @routes.get("/teapot")
    def teapot():
        abort(418)

    return make_app(routes).test_client()


def test_the_identity_is_served(client):
    """What the router's probes and smoke checks read."""
    expected = {"service": "product", "version": "1.1.0", "slot": "green"}

    assert expected == client.get("/api").json


def test_blueprints_are_mounted_below_the_api_prefix(client):
    """Services write their routes without it."""
    assert client.get("/api/v1/things/3").json["id"] == 3
    assert client.get("/things/3").status_code == 404


@pytest.mark.parametrize("path", ["/api", "/api/v1/things/3", "/nowhere", "/api/v1/broken"])
def test_every_answer_is_signed(client, path):
    """Errors too: whoever reads one knows which release made it."""
    answer = client.get(path)

    assert answer.headers["X-Served-By"] == "product@1.1.0 (green)"
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("request_id", ["a", "Trace-1.2_3", "x" * 64])
def test_a_good_request_id_is_taken_and_echoed(client, request_id):
    """So that one id follows a request through all services."""
    answer = client.get("/api/v1/things/1", headers={"X-Request-Id": request_id})

    assert request_id == answer.headers["X-Request-Id"] == answer.json["request_id"]


@pytest.mark.parametrize("request_id", ["", "x" * 65, "a b", "a;b", "ä", "a\tb"])
def test_a_bad_request_id_is_replaced(client, request_id):
    """It goes into logs and headers: nothing that could break either."""
    answer = client.get("/api", headers={"X-Request-Id": request_id})

    assert answer.headers["X-Request-Id"] not in {"", request_id}


def test_two_requests_get_different_ids(client):
    """And outside of a request there is none."""
    ids = {client.get("/api").headers["X-Request-Id"] for _ in range(20)}

    assert len(ids) == 20
    assert current_request_id() is None


def test_a_problem_is_answered_with_all_it_carries(client):
    """RFC 9457's members, the stable code, the request id, headers and what the service added."""
    answer = client.get("/api/v1/gone", headers={"X-Request-Id": "r1"})
    expected = {
        "type": "about:blank",
        "title": "Gone",
        "status": 410,
        "detail": "It was here.",
        "code": "thing_gone",
        "request_id": "r1",
        "thing_id": 7,
    }

    assert expected == json.loads(answer.data)
    assert (answer.status_code, answer.headers["Retry-After"]) == (410, "9")
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("DELETE", "/api", 405, "method_not_allowed"),
        ("GET", "/api/v1/odd", 499, "client_gone"),
        ("GET", "/api/v1/teapot", 418, "im_a_teapot"),
    ],
)
def test_http_errors_are_problems(client, method, path, status, code):
    """Also those that Flask raises by itself."""
    answer = client.open(path, method=method)

    assert (status, code) == (answer.status_code, answer.get_json(force=True)["code"])
    assert answer.content_type == "application/problem+json"


def test_a_405_says_what_is_allowed(client):
    """Headers of the original error are kept."""
    assert "GET" in client.delete("/api").headers["Allow"]


def test_a_redirect_is_no_problem(client):
    """It is not an error, and comes out as it is."""
    assert (
        client.get("/api/v1/moved").status_code,
        client.get("/api/v1/moved").headers["Location"],
    ) == (302, "/api")


def test_an_unexpected_exception_leaks_nothing(client, capsys):
    """The client gets a 500 with the id; the traceback is in the log under the same id."""
    answer = client.get("/api/v1/broken", headers={"X-Request-Id": "r2"})
    logged = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    failed = next(line for line in logged if line["event"] == "request_failed")

    assert (answer.status_code, answer.get_json(force=True)["code"]) == (500, "internal_error")
    assert b"hunter2" not in answer.data
    assert failed["request_id"] == "r2"
    assert "RuntimeError: password=hunter2" in failed["exception"]


def test_a_good_body_is_parsed(client):
    """Into the model, from JSON."""
    answer = client.post("/api/v1/things", json={"name": "ab", "count": 2})

    assert (answer.status_code, answer.json) == (201, {"name": "ab", "count": 2})


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        ("{}", "text/plain", 415, "json_expected"),
        ("{", "application/json", 400, "json_malformed"),
        ("", "application/json", 400, "json_malformed"),
        (b"\xff", "application/json", 400, "json_malformed"),
        ("[]", "application/json", 422, "invalid_request"),
        ("{}", "application/json", 422, "invalid_request"),
        ("x" * 1_100_000, "application/json", 413, "request_entity_too_large"),
    ],
)
def test_a_bad_body_is_refused(client, body, content_type, status, code):
    """Wrong type, no JSON, wrong shape, too long."""
    answer = client.post("/api/v1/things", data=body, content_type=content_type)

    assert status == answer.status_code
    assert code == answer.get_json(force=True)["code"]


def test_every_wrong_field_is_named_without_its_value(client):
    """A value may be a password."""
    answer = client.post("/api/v1/things", json={"name": "?", "count": "secret"})
    errors = answer.get_json(force=True)["errors"]

    assert {"name", "count"} == {error["field"] for error in errors}
    assert all(error["message"] for error in errors)
    assert b"secret" not in answer.data


def test_a_validation_error_of_the_service_is_a_422_as_well(client):
    """A model made of query parameters fails the same way."""
    answer = client.get("/api/v1/invalid")

    assert (answer.status_code, answer.get_json(force=True)["code"]) == (422, "invalid_request")


def test_making_an_app_opens_nothing_and_starts_no_thread(make_app):
    """Tests and tools make apps without serving them."""
    import threading

    before = threading.active_count()
    make_app()

    assert before == threading.active_count()


def test_a_coroutine_is_refused_as_flask_refuses_it(make_app):
    """Without Flask's extra for them; a function is called as it is, and looked at once."""

    async def late() -> None: ...

    def prompt() -> None: ...

    app = make_app()
    with pytest.raises(RuntimeError, match="async"):
        app.ensure_sync(late)
    assert app.ensure_sync(prompt) is prompt
    assert app.ensure_sync(prompt) is prompt
