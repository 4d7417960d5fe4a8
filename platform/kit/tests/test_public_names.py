"""What the package offers, and that a name costs nothing until it is used."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import platform_kit

EXPORTED = {
    "Admission",
    "Background",
    "Business",
    "Caller",
    "Database",
    "DatabaseUnreachable",
    "InstanceSettings",
    "InvalidSetting",
    "KitError",
    "MissingSetting",
    "Problem",
    "ServiceClient",
    "ServiceSettings",
    "ServiceTokens",
    "ServiceUnreachable",
    "SettingsError",
    "TokenVerifier",
    "audit",
    "client_address",
    "create_app",
    "current_request_id",
    "load_settings",
    "logger",
    "parse",
    "parse_query",
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
    """Nobody carries httpx, PyJWT, Alembic or OpenFeature without using them."""
    code = (
        "import platform_kit.app, platform_kit.serving, platform_kit.tokens, sys;"
        "print(sorted({'httpx', 'jwt', 'alembic', 'sqlalchemy.orm', 'openfeature'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


INTERFACES = {"Api", "Body", "Change", "Clock", "Translation", "Version", "api_of", "utc_now"}


def test_exactly_these_names_of_the_interface_are_public():
    """What a service writes its versions with."""
    from platform_kit import api

    tree = ast.parse(Path(api.__file__).read_text(encoding="utf-8"))
    names = {
        alias.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert names == INTERFACES


HELPERS = {
    "add_check",
    "add_column",
    "add_foreign_key",
    "add_unique",
    "backfill",
    "change_type",
    "create_index",
    "drop_column",
    "drop_constraint",
    "drop_index",
    "drop_table",
    "end_dual_write",
    "end_rename_table",
    "merge_columns",
    "rename_column",
    "rename_table",
    "replace_primary_key",
    "set_not_null",
    "split_column",
    "undo_add_column",
    "undo_dual_write",
    "undo_rename_table",
}
RUNNING = {
    "Declaration",
    "Plan",
    "Revert",
    "Upgrade",
    "migrations_directory",
    "plan",
    "read_declaration",
    "revert",
    "run_environment",
    "upgrade",
}


def test_exactly_these_helpers_are_public():
    """Taking one away breaks every history that called it: a migration is run for ever."""
    from platform_kit import migrations

    assert set(dir(migrations)) == HELPERS | RUNNING


@pytest.mark.parametrize("name", sorted(HELPERS))
def test_every_helper_says_which_lock_it_takes_and_when_it_may_be_called(name):
    """In its docstring, and in the package's table."""
    from platform_kit import migrations

    helper = getattr(migrations, name)

    assert re.search(r"Locks?\b", helper.__doc__)
    assert re.search(rf"\b{name}\b", migrations.__doc__)


FLAGS = {
    "BooleanFlag",
    "Finding",
    "FlagClient",
    "FlagProvider",
    "FlagSet",
    "NumberFlag",
    "StringFlag",
    "check",
    "flags_file",
}


def test_exactly_these_names_of_flags_are_public():
    """Taking one away is a breaking change."""
    from platform_kit import flags

    assert set(dir(flags)) == FLAGS


@pytest.mark.parametrize("name", sorted(FLAGS))
def test_every_name_of_flags_can_be_imported(name):
    """From where the table says it is."""
    from platform_kit import flags

    assert getattr(flags, name).__name__ == name


def test_a_misspelt_name_of_flags_is_an_attribute_error():
    """As in any other package."""
    from platform_kit import flags

    with pytest.raises(AttributeError, match="no attribute 'BoolFlag'"):
        _ = flags.BoolFlag
