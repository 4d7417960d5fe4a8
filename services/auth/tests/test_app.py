"""The app as a whole: its routes, and what it needs to start."""

import tomllib
from pathlib import Path

import pytest

from auth.app import create
from platform_kit import MissingSetting
from platform_kit.api.__main__ import texts

SERVICE = Path(__file__).parents[1]
DOCUMENTS = SERVICE / "openapi"
NOWHERE = "postgresql://127.0.0.1:9/nowhere"


def test_the_routes_are_these(instance):
    """Whoever adds one says so here: it is an interface from then on."""
    routes = {
        (method, rule.rule)
        for rule in instance(NOWHERE).url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/")
    }

    assert routes == {
        (method, f"/api/{version}/{path}")
        for version in ("v1", "v2", "v3")
        for method, path in (
            ("POST", "accounts"),
            ("GET", "accounts/<uuid:account_id>"),
            ("PUT", "accounts/<uuid:account_id>/role"),
            ("POST", "tokens"),
            ("POST", "tokens/refresh"),
            ("POST", "service-tokens"),
            ("POST", "logout"),
            ("GET", "sessions"),
            ("DELETE", "sessions"),
            ("DELETE", "sessions/<uuid:session_id>"),
            ("GET", "jwks"),
            ("GET", "openapi.json"),
            ("GET", "docs"),
        )
    }


def test_the_documents_that_are_checked_in_are_those_of_the_code(instance):
    """Else: python -m platform_kit.api auth."""
    checked_in = {path.name: path.read_text(encoding="utf-8") for path in DOCUMENTS.iterdir()}

    assert checked_in == texts(instance(NOWHERE))


def test_the_app_is_made_without_a_database_to_talk_to(instance):
    """An instance starts while PostgreSQL does; readiness tells when both are there."""
    answer = instance(NOWHERE).test_client().get("/api")

    assert answer.status_code == 200
    assert answer.json["service"] == "auth"


@pytest.mark.parametrize("variable", ["AUTH_DATABASE_URL", "AUTH_ROUTER_URL"])
def test_a_missing_setting_is_named(instance, monkeypatch, variable):
    """The error says which variable to set."""
    instance(NOWHERE)
    monkeypatch.delenv(variable)

    with pytest.raises(MissingSetting, match=variable):
        create()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/v1/accounts", 405), ("GET", "/api/v1/nothing", 404)],
)
def test_what_there_is_not_is_a_problem_too(instance, method, path, status):
    """Errors of the framework have the same form as the service's own."""
    answer = instance(NOWHERE).test_client().open(path, method=method)

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"


def test_what_only_services_may_call_is_declared(instance):
    """The router's public listener refuses it; a renamed route would be open."""
    project = tomllib.loads((SERVICE / "pyproject.toml").read_text(encoding="utf-8"))
    served = {rule.rule for rule in instance(NOWHERE).url_map.iter_rules()}

    assert set(project["tool"]["deployer"]["internal"]) == {
        path for path in served if path.endswith("/service-tokens")
    }
