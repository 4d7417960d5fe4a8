"""What a browser and a cache are told with every answer."""

import pytest
from flask import Blueprint

EXPECTED = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@pytest.fixture
def client(make_app):
    routes = Blueprint("things", __name__)

    @routes.get("/things")
    def list_things():
        return {"items": []}

    @routes.get("/cached")
    def careful():
        return {}, 200, {"Cache-Control": "private", "X-Frame-Options": "SAMEORIGIN"}

    @routes.get("/broken")
    def broken():
        raise RuntimeError

    return make_app(routes).test_client()


@pytest.mark.parametrize("path", ["/api", "/api/v1/things", "/nowhere", "/api/v1/broken"])
def test_every_answer_carries_the_headers(client, path):
    """Errors too: they repeat words of the request."""
    answer = client.get(path)

    assert {name: answer.headers.get(name) for name in EXPECTED} == EXPECTED


def test_an_answer_to_a_token_is_kept_by_no_cache(client):
    """And one that is the same for everybody may be."""
    with_token = client.get("/api/v1/things", headers={"Authorization": "Bearer x"})

    assert with_token.headers["Cache-Control"] == "no-store"
    assert "Cache-Control" not in client.get("/api/v1/things").headers


def test_what_a_route_says_itself_stays(client):
    """The kit's are the ones of a route that says nothing."""
    answer = client.get("/api/v1/cached", headers={"Authorization": "Bearer x"})

    assert answer.headers["Cache-Control"] == "private"
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
