"""skaffold.yaml: valid, one profile a service, and no profile that touches another's release."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from deployment.services import ROOT, SERVICES, chart_file
from deployment.skaffold import configuration, document, helm_releases

SCHEMA = Path(__file__).parent / "skaffold-v4beta13.json"
IMAGES = {service: f"localhost:5000/{service}:tag@sha256:{'0' * 64}" for service in SERVICES}


@pytest.fixture(scope="module")
def schema():
    return json.loads(SCHEMA.read_text())


def names(items, key="name"):
    return [item[key] for item in items]


def test_the_file_is_what_skaffold_takes(schema):
    """By its own schema, of the version that the file names."""
    assert jsonschema.validate(document(), schema) is None


def test_the_schema_refuses_a_misspelt_key(schema):
    """The negative control: it is not a schema that takes anything."""
    broken = {**document(), "portForwards": []}
    with pytest.raises(jsonschema.ValidationError, match="portForwards"):
        jsonschema.validate(broken, schema)


def test_there_is_a_profile_a_service():
    """Whoever adds a service adds it here, or learns it from this."""
    assert list(SERVICES) == sorted(names(document()["profiles"]))


@pytest.mark.parametrize("service", SERVICES)
def test_a_profile_is_one_service_of_the_base(service):
    """One build, one release, one port, one verification, each the very same as without a profile."""
    base, own = configuration(), configuration(service)
    pairs = (
        (base["build"]["artifacts"], own["build"]["artifacts"], "image"),
        (base["deploy"]["helm"]["releases"], own["deploy"]["helm"]["releases"], "name"),
        (base["portForward"], own["portForward"], "resourceName"),
        (base["verify"], own["verify"], "name"),
    )
    for all_of_them, one, key in pairs:
        assert one == [each for each in all_of_them if each[key] == service]


def test_the_base_has_all_services_and_the_database():
    """The database comes first: the others migrate when they are installed."""
    base = configuration()

    assert sorted(names(base["build"]["artifacts"], "image")) == list(SERVICES)
    first, *others = names(base["deploy"]["helm"]["releases"])
    assert (first, sorted(others)) == ("postgresql", list(SERVICES))


def test_the_database_knows_every_service():
    """Each gets a database, a role and a Secret, in the namespace of the developer."""
    database, *_ = configuration()["deploy"]["helm"]["releases"]

    assert database["setValues"] == {f"databases.{service}": "" for service in SERVICES}
    assert database["wait"]


def test_no_profile_touches_the_release_of_another():
    """`skaffold run -p order` calls Helm once, with these very words."""
    (call,) = helm_releases("order", images=IMAGES)

    assert call.arguments == (
        *("order", "charts/order"),
        *("--set", "autoscaling.enabled=false"),
        *("--set", "part=all"),
        *("--set", "reload=true"),
        *("--set", f"image={IMAGES['order']}"),
        *("-f", "charts/order/values-dev.yaml"),
    )


@pytest.mark.parametrize("service", SERVICES)
def test_a_saved_file_goes_where_the_instance_looks(service):
    """The sync rules name folders that exist, and the folder that the chart mounts for it."""
    (artifact,) = configuration(service)["build"]["artifacts"]
    rules = artifact["sync"]["manual"]
    kept = {str(file.relative_to(ROOT)) for rule in rules for file in ROOT.glob(rule["src"])}
    template = (ROOT / "charts/platform/templates/_configmap.tpl").read_text()

    assert f"services/{service}/src/{service}/app.py" in kept
    assert "platform/kit/src/platform_kit/serve.py" in kept
    assert all(rule["src"].startswith(rule["strip"]) for rule in rules)
    assert {f"PLATFORM_RELOAD_FOLDER: {rule['dest']}" in template for rule in rules} == {True}


@pytest.mark.parametrize("service", SERVICES)
def test_every_file_it_names_is_there(service):
    """Dockerfile, chart and values."""
    own = configuration(service)
    (artifact,), (release,) = own["build"]["artifacts"], own["deploy"]["helm"]["releases"]
    files = [artifact["docker"]["dockerfile"], *release["valuesFiles"]]

    assert [file for file in files if not (ROOT / file).is_file()] == []
    assert chart_file(service, "Chart.yaml")["name"] == release["name"]


def test_builds_need_no_buildkit_and_are_pushed():
    """A digest comes from the registry, and the classic builder is what every engine has."""
    assert configuration()["build"]["local"] == {"push": True, "useBuildkit": False}
