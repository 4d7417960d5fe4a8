"""The checkout as files: services, what they declare, and what a content is."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployer.errors import InputError
from deployer.model import ServiceName
from deployer.releases import Version
from deployer.workspace import Workspace, content_of

PRODUCT = ServiceName("product")
DECLARED = """
[project]
name = "{0}"
version = "1.2.3"

[tool.deployer]
internal = ["/api/v1/inside"]
needs = [{1}]
business = ["orders"]
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Two services, product and order, that exist on paper only."""
    for name, needs in (("product", ""), ("order", '"product"')):
        folder = tmp_path / "services" / name
        folder.mkdir(parents=True)
        (folder / "pyproject.toml").write_text(DECLARED.format(name, needs))
    (tmp_path / "services/notes").mkdir()
    (tmp_path / "environments").mkdir()
    return Workspace(tmp_path)


def declare(workspace: Workspace, text: str) -> InputError:
    """Give product another `pyproject.toml` and return how it is refused."""
    (workspace.folder(PRODUCT) / "pyproject.toml").write_text(text)
    with pytest.raises(InputError) as refused:
        workspace.declaration(PRODUCT)
    return refused.value


def test_a_checkout_is_found_from_any_folder_inside(workspace: Workspace):
    """As git does it."""
    assert Workspace.around(workspace.folder(PRODUCT)).root == workspace.root
    assert Workspace.around(workspace.root).environments == workspace.root / "environments"


def test_a_folder_outside_is_no_workspace(tmp_path: Path):
    """Neither folder alone makes one."""
    (tmp_path / "services").mkdir()
    with pytest.raises(InputError) as refused:
        Workspace.around(tmp_path)

    assert refused.value.code == "not-a-workspace"
    assert str(tmp_path) in refused.value.cause


def test_services_are_the_folders_with_a_project(workspace: Workspace):
    """Nothing lists them, and a folder of something else is none."""
    assert workspace.services == ("order", "product")
    assert workspace.service("order") == "order"


def test_an_unknown_service_is_told_the_nearest(workspace: Workspace):
    """With all those there are."""
    with pytest.raises(InputError) as refused:
        workspace.service("prodcut")

    assert refused.value.code == "unknown-service"
    assert "order, product" in refused.value.cause
    assert refused.value.hint == "did you mean product?"


def test_a_name_like_no_other_gets_no_guess(workspace: Workspace):
    """A wrong guess would be worse than none."""
    with pytest.raises(InputError) as refused:
        workspace.service("xyzzy")

    assert refused.value.hint == "use one of those names"


def test_a_declaration_is_read_from_the_service_itself(workspace: Workspace):
    """Its version, its internal paths, whom it calls and what it is there for."""
    declaration = workspace.declaration(ServiceName("order"))

    assert declaration.version == Version(1, 2, 3)
    assert (declaration.internal, declaration.needs) == (("/api/v1/inside",), (PRODUCT,))
    assert declaration.business == ("orders",)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("rows.orders = -1", "rows.orders"),
        ('rows.orders = "many"', "rows.orders"),
        ("tables.orders = 5", "tables"),
        ('generators.orders.id = ""', "generators.orders.id"),
    ],
)
def test_a_size_that_makes_no_sense_is_refused(workspace: Workspace, text: str, key: str):
    """With the key, and what there is."""
    project = '[project]\nversion = "1.0.0"\n[tool.deployer.migrations]\n'
    (workspace.folder(PRODUCT) / "pyproject.toml").write_text(project + text)
    with pytest.raises(InputError) as refused:
        workspace.declaration(PRODUCT)

    assert refused.value.code == "service-broken"
    assert f"[tool.deployer] {key}: " in refused.value.cause
    assert "[tool.deployer.migrations] has rows and generators" in refused.value.hint


def test_a_service_need_not_declare_anything(workspace: Workspace):
    """Then it calls nobody, hides nothing, and has no business metric."""
    (workspace.folder(PRODUCT) / "pyproject.toml").write_text('[project]\nversion = "1.0.0"')
    declaration = workspace.declaration(PRODUCT)

    assert (declaration.internal, declaration.needs, declaration.business) == ((), (), ())


@pytest.mark.parametrize(
    "text",
    ["[project", "[project]\nname = 'product'", "project = 3", "[project]\nversion = 1.2"],
    ids=["no toml", "no version", "no table", "no string"],
)
def test_a_broken_declaration_names_the_file(workspace: Workspace, text: str):
    """Whatever is wrong with it."""
    error = declare(workspace, text)

    assert error.code == "service-broken"
    assert "services/product/pyproject.toml" in error.cause


def test_a_version_that_is_not_semver_is_refused(workspace: Workspace):
    """The same rule as on the command line."""
    error = declare(workspace, DECLARED.replace("1.2.3", "1.2").format("product", ""))

    assert error.code == "version-not-semver"


def test_a_need_that_is_no_service_is_refused(workspace: Workspace):
    """With the nearest name, as on the command line."""
    error = declare(workspace, DECLARED.format("product", '"ordre"'))

    assert (error.code, error.hint) == ("unknown-service", "did you mean order?")


def test_releases_are_read_oldest_first(workspace: Workspace):
    """A service without the file has none."""
    rows = "".join(
        f'[[release]]\nversion = "1.{minor}.0"\ncommit = "c{minor}"\n' for minor in (0, 1)
    )
    (workspace.folder(PRODUCT) / "releases.toml").write_text(rows)

    assert [str(each.version) for each in workspace.released(PRODUCT)] == ["1.0.0", "1.1.0"]
    assert workspace.released(ServiceName("order")) == ()


def test_content_is_paths_and_bytes(tmp_path: Path):
    """The same wherever it lies; another with a file renamed, changed, added or split in two."""
    trees = {
        "one": {"a": "12", "b/c": "3"},
        "copy": {"b/c": "3", "a": "12"},
        "renamed": {"a": "12", "b/d": "3"},
        "changed": {"a": "12", "b/c": "4"},
        "added": {"a": "12", "b/c": "3", "e": ""},
        "moved a byte": {"a": "1", "b/c": "23"},
    }
    for name, files in trees.items():
        for path, text in files.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    contents = {name: content_of(tmp_path / name) for name in trees}

    assert contents["one"] == contents["copy"]
    assert len(set(contents.values())) == len(trees) - 1
