"""What the package offers, and that a name costs nothing until it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import platform_kit

EXPORTED = {
    "Background",
    "Business",
    "Database",
    "DatabaseUnreachable",
    "InstanceSettings",
    "InvalidSetting",
    "KitError",
    "MissingSetting",
    "Problem",
    "ServiceClient",
    "ServiceSettings",
    "ServiceUnreachable",
    "SettingsError",
    "TokenVerifier",
    "create_app",
    "current_request_id",
    "load_settings",
    "logger",
    "parse",
    "start_background",
}


def test_exactly_these_names_are_public():
    """Taking one away is a breaking change."""
    assert set(dir(platform_kit)) == EXPORTED


def test_type_checkers_see_the_same_names():
    """The lazy table and the imports for type checkers cannot drift apart."""
    tree = ast.parse(Path(platform_kit.__file__).read_text(encoding="utf-8"))
    (branch,) = [
        node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)
    ]
    seen = {alias.asname: node.module for node in branch.body for alias in node.names}

    assert {name: f"platform_kit.{home}" for name, home in platform_kit._HOMES.items()} == seen


@pytest.mark.parametrize("name", sorted(EXPORTED))
def test_every_name_can_be_imported(name):
    """From where the table says it is."""
    assert getattr(platform_kit, name).__name__ == name


def test_a_misspelt_name_is_an_attribute_error():
    """As in any other package."""
    with pytest.raises(AttributeError, match="no attribute 'create_ap'"):
        _ = platform_kit.create_ap


def test_the_serving_program_does_not_import_what_only_the_worker_needs():
    """Measured: 24 MB that the master would otherwise carry."""
    heavy = "{'flask', 'sqlalchemy', 'psycopg', 'structlog', 'prometheus_client', 'httpx', 'jwt', 'alembic'}"
    code = f"import platform_kit.serve, sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_app_does_not_import_what_only_some_services_need():
    """A service that calls nobody and verifies no token carries neither httpx nor PyJWT nor Alembic."""
    code = (
        "import platform_kit.app, platform_kit.serving, platform_kit.tokens, sys;"
        "print(sorted({'httpx', 'jwt', 'alembic', 'sqlalchemy.orm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
