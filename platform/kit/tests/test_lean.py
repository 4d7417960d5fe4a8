"""The lean app answers as Flask does: the same routes in both, the same requests to both, each one twice."""

import pytest
from flask import Flask, Response, abort, redirect, request, url_for
from werkzeug.test import Client, create_environ, run_wsgi_app

from platform_kit.lean import MOST_HOSTS, LeanFlask


def with_routes(app):
    @app.get("/thing/<int:number>")
    def read_thing(number):
        return {
            "number": number,
            "host": request.host,
            "url": request.url,
            "root": request.root_url,
            "here": url_for("read_thing", number=number, _external=True),
        }

    @app.get("/folder/")
    def folder():
        return "a folder"

    @app.route("/answer", methods=["GET", "POST"])
    def answer():
        status = int(request.args.get("status", 200))
        return app.response_class("grün", status, content_type="text/plain; charset=utf-8")

    @app.post("/made")
    def made():
        return {"made": True}, 201, {"Location": "/thing/ü?a=b", "Content-Location": "/ö"}

    @app.get("/moved")
    def moved():
        return redirect("/thing/7")

    @app.get("/twice")
    def twice():
        return {"twice": True}, 200, [("X-Twice", "1"), ("X-Twice", "2")]

    @app.get("/plain")
    def plain():
        return Response("Flask's own class")

    @app.get("/refused")
    def refused():
        abort(409)

    @app.get("/cached")
    def cached():
        made = app.response_class("known")
        made.set_etag("e1")
        return made.make_conditional(request)

    with_odd_bodies(app)
    return app


def with_odd_bodies(app):
    @app.get("/texts")
    def texts():
        return app.response_class(["one", "two"])

    @app.get("/one-text")
    def one_text():
        return app.response_class(["one"])

    @app.get("/stream")
    def stream():
        return app.response_class(iter([b"one", b"two"]))


@pytest.fixture
def lean():
    return with_routes(LeanFlask("some"))


@pytest.fixture
def flask():
    return with_routes(Flask("some", static_folder=None))


def told(app, environ):
    """Return the status, the headers in their order and the body."""
    body, status, headers = run_wsgi_app(app, dict(environ), buffered=True)
    return status, list(headers), b"".join(body)


REQUESTS = {
    "json": create_environ("/thing/7"),
    "query": create_environ("/thing/7?a=ü&b=%FF"),
    "below a prefix": create_environ("/thing/7", "http://localhost/shop/"),
    "https": create_environ("/thing/7", "https://shop.test"),
    "port": create_environ("/thing/7", "http://shop.test:8080"),
    "the scheme's port": create_environ("/thing/7", headers={"Host": "shop.test:80"}),
    "capitals": create_environ("/thing/7", headers={"Host": "SHOP.Test"}),
    "IPv6": create_environ("/thing/7", headers={"Host": "[::1]:8000"}),
    "subdomain": create_environ("/thing/7", headers={"Host": "a.b.shop.test"}),
    "empty host": create_environ("/thing/7", headers={"Host": ""}),
    "no host": {**create_environ("/thing/7"), "HTTP_HOST": None},
    "no name": create_environ("/thing/7", headers={"Host": "a b/c"}),
    "port that is none": create_environ("/thing/7", headers={"Host": "shop.test:99999"}),
    "label too long": create_environ("/thing/7", headers={"Host": "x" * 70 + ".test"}),
    "empty path": {**create_environ("/"), "PATH_INFO": ""},
    "slashes": create_environ("//thing///7"),
    "two slashes first": {**create_environ("/thing/7"), "PATH_INFO": "//thing/7"},
    "slash missing": create_environ("/folder?a=b", "http://shop.test"),
    "slash missing, posted": create_environ("/folder", method="POST"),
    "bytes that are no text": {**create_environ("/"), "PATH_INFO": "/thing/\xff"},
    "wrong path": create_environ("/thing/x"),
    "wrong method": create_environ("/thing/7", method="DELETE"),
    "made-up method": create_environ("/thing/7", method="BREW"),
    "options": create_environ("/thing/7", method="OPTIONS"),
    "head": create_environ("/thing/7", method="HEAD"),
    "websocket": create_environ("/thing/7", headers={"Connection": "Upgrade", "Upgrade": "websocket"}),
    "other upgrade": create_environ("/thing/7", headers={"Connection": "Upgrade", "Upgrade": "h2c"}),
    "posted": create_environ("/answer", method="POST", data=b"x"),
    **{f"status {code}": create_environ(f"/answer?status={code}") for code in (200, 202, 204, 205, 206, 304, 404, 500)},
    **{path: create_environ(path) for path in ("/texts", "/one-text", "/stream", "/moved", "/twice", "/plain", "/refused", "/cached")},
    "made": create_environ("/made", method="POST"),
    "not modified": create_environ("/cached", headers={"If-None-Match": '"e1"'}),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_an_answer_is_flask_s_own_byte_for_byte(lean, flask, name):
    """The first time, and when the host is known."""
    environ = {key: value for key, value in REQUESTS[name].items() if value is not None}
    expected = told(flask, environ)

    assert [told(lean, environ) for _ in range(2)] == [expected] * 2


def test_what_waits_for_the_end_of_an_answer_is_called(lean):
    """Once, when the server is done with it."""
    ended = []

    @lean.get("/late")
    def late():
        answer = lean.response_class("x")
        answer.call_on_close(lambda: ended.append(True))
        return answer

    answer = Client(lean).get("/late", buffered=False)
    before = list(ended)
    answer.close()

    assert (before, ended) == ([], [True])


def test_an_answer_changed_by_whoever_comes_after_is_sent_as_it_was_left(lean, flask):
    """Headers are read when they are sent."""
    for app in (lean, flask):

        @app.after_request
        def mark(response):
            response.headers["X-Mark"] = "1"
            response.data = b"changed"
            return response

    environ = create_environ("/thing/7")
    answer = told(lean, environ)

    assert answer == told(flask, environ)
    assert (answer[2], dict(answer[1])["X-Mark"]) == (b"changed", "1")


def test_a_client_that_makes_hosts_up_is_not_remembered_without_end(lean):
    """It gets its answers all the same."""
    client = Client(lean)
    hosts = [f"host-{number}.test" for number in range(MOST_HOSTS + 10)]
    answers = [client.get("/thing/7", headers={"Host": host}).json["host"] for host in hosts * 2]

    assert answers == hosts * 2
    assert len(lean._hosts) == MOST_HOSTS
