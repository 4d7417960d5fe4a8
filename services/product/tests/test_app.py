"""The app as a whole: its routes, and what it needs to start."""

import tomllib
from pathlib import Path

import pytest

from platform_kit import MissingSetting
from platform_kit.api.__main__ import texts
from product.app import create

DOCUMENTS = Path(__file__).parents[1] / "openapi"
URL = "postgresql://127.0.0.1:9/nowhere"
PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.setenv("PRODUCT_DATABASE_URL", URL)
    monkeypatch.setenv("PRODUCT_ROUTER_URL", "http://127.0.0.1:9")


def routes():
    """Method and path of everything below the API's prefix."""
    return {
        (method, rule.rule)
        for rule in create().url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/")
    }


def test_the_routes_are_these(environment):
    """Whoever adds one says so here: it is an interface from then on."""
    assert routes() == {
        (method, f"/api/{version}/{path}")
        for version in ("v1", "v2", "v3")
        for method, path in (
            ("GET", "products"),
            ("GET", "products/<int:product_id>"),
            ("GET", "products/<int:product_id>/prices"),
            ("POST", "inventory"),
            ("PUT", "inventory/<int:product_id>/stock"),
            ("PUT", "inventory/<int:product_id>/price"),
            ("PUT", "reservations/<uuid:reservation_id>"),
            ("DELETE", "reservations/<uuid:reservation_id>"),
            ("POST", "events"),
            ("GET", "openapi.json"),
            ("GET", "docs"),
        )
    }


def test_the_documents_that_are_checked_in_are_those_of_the_code(environment):
    """Else: python -m platform_kit.api product."""
    checked_in = {path.name: path.read_text(encoding="utf-8") for path in DOCUMENTS.iterdir()}

    assert checked_in == texts(create())


def test_only_reading_is_open_to_the_public(environment):
    """The router keeps customers away from every route that changes something."""
    internal = tuple(PROJECT["tool"]["deployer"]["internal"])

    for method, path in routes():
        assert path.startswith(internal) == (method != "GET")


def test_the_app_is_made_without_a_database_to_talk_to(environment):
    """An instance starts while PostgreSQL does; readiness tells when both are there."""
    answer = create().test_client().get("/api")

    assert answer.status_code == 200
    assert answer.json["service"] == "product"


@pytest.mark.parametrize("variable", ["PRODUCT_DATABASE_URL", "PRODUCT_ROUTER_URL"])
def test_a_missing_setting_is_named(environment, monkeypatch, variable):
    """The error says which variable to set."""
    monkeypatch.delenv(variable)

    with pytest.raises(MissingSetting, match=variable):
        create()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "/api/v1/products", 405),
        ("GET", "/api/v1/products/tea", 404),
        ("PUT", "/api/v1/reservations/mine", 404),
        ("GET", "/api/v1/nothing", 404),
    ],
)
def test_what_there_is_not_is_a_problem_too(environment, method, path, status):
    """Errors of the framework have the same form as the service's own."""
    answer = create().test_client().open(path, method=method)

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
