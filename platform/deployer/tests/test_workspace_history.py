"""The checkout as history: what was committed, what has changed since, and copies without any."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from checkouts import git, set_version

from deployer.errors import OperationError
from deployer.model import ServiceName
from deployer.releases import Recorded, Version
from deployer.workspace import Workspace

pytestmark = pytest.mark.integration

PRODUCT = ServiceName("product")
CODE = "services/product/src/product/__init__.py"
V1 = Version(1, 0, 0)


def append(checkout: Path, path: str, text: str = "\n# changed\n") -> None:
    with (checkout / path).open("a") as file:
        file.write(text)


def without_history(checkout: Path, copy: Path) -> Workspace:
    """Copy a checkout the way an archive would: no git in it."""
    shutil.copytree(checkout, copy, ignore=shutil.ignore_patterns(".git", ".deployer"))
    return Workspace(copy)


def test_a_commits_code_is_what_it_was(checkout: Path, tmp_path: Path):
    """Whatever the tree and later commits made of it."""
    first = git(checkout, "rev-parse", "HEAD")
    append(checkout, CODE, "LATER = True\n")
    set_version(checkout, "1.1.0")
    append(checkout, CODE, "NOT_EVEN_COMMITTED = True\n")

    source = Workspace(checkout).stage_commit(PRODUCT, Recorded(V1, first), into=tmp_path / "old")

    assert (source.version, source.commit) == (V1, first)
    assert "LATER" not in (source.tree / CODE).read_text()
    assert 'version = "1.0.0"' in (source.tree / "services/product/pyproject.toml").read_text()


def test_a_commits_code_holds_what_a_build_reads_and_no_more(checkout: Path, tmp_path: Path):
    """The service, its migrations, the kit and the pins; not the environments."""
    recorded = Recorded(V1, git(checkout, "rev-parse", "HEAD"))

    source = Workspace(checkout).stage_commit(PRODUCT, recorded, into=tmp_path / "tree")

    assert sorted(path.name for path in source.tree.iterdir()) == [
        "constraints.txt",
        "migrations",
        "platform",
        "services",
    ]


def test_a_clean_tree_has_the_content_of_its_commit(checkout: Path, tmp_path: Path):
    """So a release from the tree and one from git are one build."""
    workspace = Workspace(checkout)
    (checkout / "services/product/__pycache__").mkdir()
    (checkout / "services/product/__pycache__/ignored.pyc").write_bytes(b"by git")
    commit = git(checkout, "rev-parse", "HEAD")

    tree = workspace.stage(PRODUCT, V1, into=tmp_path / "tree")
    archived = workspace.stage_commit(PRODUCT, Recorded(V1, commit), into=tmp_path / "archived")

    assert tree.content == archived.content
    assert tree.commit == archived.commit == commit == workspace.head()


@pytest.mark.parametrize(
    "path", [CODE, "migrations/product/env.py", "platform/kit/pyproject.toml", "constraints.txt"]
)
def test_a_changed_file_changes_the_service(checkout: Path, tmp_path: Path, path: str):
    """Everything that goes into a build counts."""
    workspace = Workspace(checkout)
    before = workspace.stage(PRODUCT, V1, into=tmp_path / "before")
    append(checkout, path)
    after = workspace.stage(PRODUCT, V1, into=tmp_path / "after")

    assert workspace.changed(PRODUCT)
    assert after.content != before.content
    assert (before.commit, after.commit) == (workspace.head(), None)


def test_a_new_file_changes_the_service(checkout: Path, tmp_path: Path):
    """It would be in the wheel, so it is in the content before anybody adds it to git."""
    workspace = Workspace(checkout)
    (checkout / CODE).with_name("fresh.py").write_text("")

    source = workspace.stage(PRODUCT, V1, into=tmp_path / "tree")

    assert workspace.changed(PRODUCT)
    assert (source.tree / CODE).with_name("fresh.py").exists()


def test_a_deleted_file_changes_the_service(checkout: Path, tmp_path: Path):
    """And is not missed while staging."""
    workspace = Workspace(checkout)
    (checkout / CODE).unlink()

    source = workspace.stage(PRODUCT, V1, into=tmp_path / "tree")

    assert workspace.changed(PRODUCT)
    assert not (source.tree / CODE).exists()


def test_what_is_not_built_changes_nothing(checkout: Path):
    """Neither environments nor files that git ignores are in a release."""
    append(checkout, "environments/local.toml")
    (checkout / "services/product/__pycache__").mkdir()

    assert not Workspace(checkout).changed(PRODUCT)


def test_a_commit_that_is_not_here_says_how_to_get_it(checkout: Path, tmp_path: Path):
    """As in a shallow clone: nothing is staged in its place."""
    first = git(checkout, "rev-parse", "HEAD")
    set_version(checkout, "1.1.0")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{checkout}", "shallow")
    workspace = Workspace(tmp_path / "shallow")
    with pytest.raises(OperationError) as refused:
        workspace.stage_commit(PRODUCT, Recorded(V1, first), into=tmp_path / "tree")

    assert refused.value.code == "history-missing"
    assert f"{first[:12]} of product@1.0.0" in refused.value.cause
    assert "git fetch --unshallow" in refused.value.hint
    assert not (tmp_path / "tree").exists()
    assert Workspace(checkout).has_commit(first)


def test_the_hint_brings_the_history(checkout: Path, tmp_path: Path):
    """The command that the error names, in the shallow clone that it was shown in."""
    recorded = Recorded(V1, git(checkout, "rev-parse", "HEAD"))
    set_version(checkout, "1.1.0")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{checkout}", "shallow")
    git(tmp_path / "shallow", "fetch", "--quiet", "--unshallow")

    workspace = Workspace(tmp_path / "shallow")
    source = workspace.stage_commit(PRODUCT, recorded, into=tmp_path / "tree")

    assert source.commit == recorded.commit


def test_a_copy_without_history_has_no_commit(checkout: Path, tmp_path: Path):
    """It says so, and can't know what has changed."""
    commit = git(checkout, "rev-parse", "HEAD")
    copy = without_history(checkout, tmp_path / "copy")
    with pytest.raises(OperationError) as refused:
        copy.stage_commit(PRODUCT, Recorded(V1, commit), into=tmp_path / "tree")

    assert refused.value.code == "history-missing"
    assert (copy.head(), copy.changed(PRODUCT)) == (None, False)


def test_a_copy_without_history_is_staged_all_the_same(checkout: Path, tmp_path: Path):
    """With the content of the checkout that it was copied from, compiled files aside."""
    copy = without_history(checkout, tmp_path / "copy")
    compiled = copy.folder(PRODUCT) / "src/product/__pycache__/app.pyc"
    compiled.parent.mkdir()
    compiled.write_bytes(b"compiled")

    source = copy.stage(PRODUCT, V1, into=tmp_path / "tree")
    original = Workspace(checkout).stage(PRODUCT, V1, into=tmp_path / "original")

    assert (source.content, source.commit) == (original.content, None)


def test_everything_of_a_commit_is_staged_with_its_tests(checkout: Path, tmp_path: Path):
    """A later change is not in it."""
    append(checkout, "environments/local.toml")
    commit = git(checkout, "rev-parse", "HEAD")
    Workspace(checkout).stage_everything(commit, into=tmp_path / "tree")

    staged = git(checkout, "ls-tree", "-r", "--name-only", commit).splitlines()
    assert {
        str(f.relative_to(tmp_path / "tree")) for f in (tmp_path / "tree").rglob("*") if f.is_file()
    } == set(staged)
    assert (tmp_path / "tree/environments/local.toml").read_text() != (
        checkout / "environments/local.toml"
    ).read_text()


def test_migrations_of_a_commit_that_had_none_are_none(checkout: Path, tmp_path: Path):
    """Of one that had some, they are those alone."""
    workspace, commit = Workspace(checkout), git(checkout, "rev-parse", "HEAD")
    workspace.stage_migrations(PRODUCT, commit, into=tmp_path / "some")
    workspace.stage_migrations(ServiceName("absent"), commit, into=tmp_path / "none")

    assert [path.name for path in (tmp_path / "some").iterdir()] == ["migrations"]
    assert not (tmp_path / "none").exists()
