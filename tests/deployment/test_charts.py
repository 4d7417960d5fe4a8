"""The charts as files: equal where they must be, and equal to what the services say of themselves."""

from __future__ import annotations

import json
import re

import pytest
from deployment.services import ROOT, SERVICES, chart_file, project

CHARTS = ROOT / "charts"
LIBRARY = CHARTS / "platform" / "templates"
ENVIRONMENTS = ("dev", "staging", "prod")

# One order in every workload: what it is, how it is replaced, what it may do, how it is asked, what it gets.
POD = (
    ("metadata:", "strategy:", "template:"),
    ("serviceAccountName:", "automountServiceAccountToken:", "securityContext:", "containers:"),
    ("platform.security.pod", "image:", "platform.security.container"),
    ("platform.security.container", "platform.probes", "resources:", "volumeMounts:", "volumes:"),
)


def own_schema(service):
    return json.loads((CHARTS / service / "values.schema.json").read_text())


@pytest.mark.parametrize("service", SERVICES)
def test_a_chart_has_the_version_of_its_service(service):
    """Both of its versions: a chart is released with its service, by one number."""
    chart = chart_file(service, "Chart.yaml")
    version = project(service)["project"]["version"]

    assert (chart["name"], chart["version"], chart["appVersion"]) == (service, version, version)


@pytest.mark.parametrize("service", SERVICES)
def test_a_chart_is_built_on_the_library_beside_it(service):
    """By path, in the version that it has, with its defaults."""
    (dependency,) = chart_file(service, "Chart.yaml")["dependencies"]
    library = chart_file("platform", "Chart.yaml")

    assert library["type"] == "library"
    assert dependency == {
        "name": "platform",
        "version": library["version"],
        "repository": "file://../platform",
        "import-values": [{"child": "service", "parent": "."}],
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_chart_says_the_same_of_its_service_as_the_service(service):
    """Whom it calls, and what is not for the public: [tool.deployer] is where both are declared."""
    values = chart_file(service, "values.yaml")
    declared = project(service)["tool"]["deployer"]

    assert values == {"needs": declared["needs"], "internalPaths": declared["internal"]}


@pytest.mark.parametrize(
    "name",
    [
        "values.schema.json",
        "templates/all.yaml",
        "templates/NOTES.txt",
        "templates/tests/answers.yaml",
    ],
)
def test_what_charts_share_is_the_same_file(name):
    """Helm reads these from the chart itself, so each has its copy."""
    assert len({(CHARTS / service / name).read_bytes() for service in SERVICES}) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_the_schema_knows_every_value_and_no_other(service):
    """A value that is not in the library's defaults would do nothing."""

    def keys(schema):
        inner = schema.get("properties", {})
        return {name: keys(each) for name, each in inner.items()} if inner else None

    def paths(values, known):
        if known is None or not isinstance(values, dict):
            return None
        return {name: paths(each, known.get(name)) for name, each in values.items()}

    known = keys(own_schema(service))
    for helms_own in ("global", "platform"):
        del known[helms_own]
    defaults = chart_file("platform", "values.yaml")["service"]

    assert paths(defaults, known) == known


def open_objects(schema, path=""):
    found = (
        [path]
        if schema.get("properties") and schema.get("additionalProperties") is not False
        else []
    )
    for name, each in schema.get("properties", {}).items():
        found += open_objects(each, f"{path}.{name}")
    return found


def test_no_level_of_the_values_takes_unknown_keys():
    """A misspelt value is an error, not a default."""
    assert open_objects(own_schema(SERVICES[0])) == []


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_values_of_an_environment_are_its_own(service, environment):
    """They differ from the defaults where they say something, and name their environment."""
    values = chart_file(service, f"values-{environment}.yaml")
    defaults = chart_file("platform", "values.yaml")["service"]

    assert values["environment"] == environment
    said = {name: value for name, value in values.items() if name != "environment"}
    assert [name for name, value in said.items() if defaults[name] == value] == []


@pytest.mark.parametrize("template", ["_deployment.tpl", "_migration.tpl", "_test.tpl"])
def test_templates_have_one_order_of_keys(template):
    """Whoever has read one finds their way in the others."""
    text = (LIBRARY / template).read_text()
    for order in POD:
        places = [text.find(key) for key in order if key in text]
        assert places == sorted(places), order


def test_every_template_is_included_somewhere():
    """A definition that nobody includes is dead."""
    files = [
        *LIBRARY.glob("*.tpl"),
        *CHARTS.glob("*/templates/**/*.yaml"),
        *CHARTS.glob("*/templates/NOTES.txt"),
    ]
    text = "\n".join(file.read_text() for file in files)
    defined = set(re.findall(r'define "(platform\.[a-z.]+)"', text))

    assert defined - set(re.findall(r'include "(platform\.[a-z.]+)"', text)) == set()
