"""The app as a whole: its routes, and what it needs to start."""

import tomllib
from pathlib import Path

import pytest

from auth.app import create
from platform_kit import MissingSetting

SERVICE = Path(__file__).parents[1]
NOWHERE = "postgresql://127.0.0.1:9/nowhere"


def test_the_routes_are_these(instance):
    """Whoever adds one says so here: it is an interface from then on."""
    routes = {
        (method, rule.rule)
        for rule in instance(NOWHERE).url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/v1")
    }

    assert routes == {
        ("POST", "/api/v1/accounts"),
        ("GET", "/api/v1/accounts/<uuid:account_id>"),
        ("PUT", "/api/v1/accounts/<uuid:account_id>/role"),
        ("POST", "/api/v1/tokens"),
        ("POST", "/api/v1/tokens/refresh"),
        ("POST", "/api/v1/service-tokens"),
        ("POST", "/api/v1/logout"),
        ("GET", "/api/v1/sessions"),
        ("DELETE", "/api/v1/sessions"),
        ("DELETE", "/api/v1/sessions/<uuid:session_id>"),
        ("GET", "/api/v1/jwks"),
    }


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
    (internal,) = project["tool"]["deployer"]["internal"]

    assert internal in {rule.rule for rule in instance(NOWHERE).url_map.iter_rules()}
