"""Builds: made once, in an environment of their own, and every way in which they fail."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from checkouts import make_checkout

from deployer import runner
from deployer.errors import OperationError
from deployer.model import Release, ServiceName
from deployer.releases import Version
from deployer.targets.local import Builds, scratch_tree
from deployer.workspace import Source, Workspace

pytestmark = pytest.mark.integration

PRODUCT = ServiceName("product")
V1 = Version(1, 0, 0)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("builds")
    return Workspace(make_checkout(folder / "checkout", folder))


@pytest.fixture
def source(workspace: Workspace, tmp_path: Path) -> Source:
    """Product's tree at 1.0.0, staged for this test alone."""
    return workspace.stage(PRODUCT, V1, into=tmp_path / "tree")


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    """The builds of this module's tests, where making one is not the point."""
    return Builds(tmp_path_factory.mktemp("releases"))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Source]:
    """What was really built, as opposed to found."""
    built: list[Source] = []
    build = Builds._build

    def noted(self: Builds, source: Source, home: Path) -> None:
        built.append(source)
        build(self, source, home)

    monkeypatch.setattr(Builds, "_build", noted)
    return built


def asked(builds: Builds, release: Release, code: str) -> str:
    done = runner.run((builds.python(release), "-c", code))
    assert done.code == 0, done.stderr
    return done.stdout.strip()


def edit(source: Source, path: str, old: str, new: str) -> None:
    file = source.tree / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def refused(builds: Builds, source: Source) -> OperationError:
    with pytest.raises(OperationError) as error:
        builds.build(source)
    return error.value


def test_the_same_content_is_built_once(
    builds: Builds, workspace: Workspace, source: Source, tmp_path: Path, made: list[Source]
):
    """The second time it is found, also by another deployer and from another folder."""
    first = builds.build(source)
    count = len(made)
    again = workspace.stage(PRODUCT, V1, into=tmp_path / "again")
    second = Builds(builds._folder).build(again)

    assert first == second
    assert count <= 1
    assert len(made) == count


def test_the_digest_is_that_of_the_content_wherever_it_is_built(
    builds: Builds, source: Source, workspace: Workspace, tmp_path: Path, made: list[Source]
):
    """Two machines that build one commit agree on what it is."""
    here = builds.build(source)
    elsewhere = workspace.stage(PRODUCT, V1, into=tmp_path / "elsewhere")
    there = Builds(tmp_path / "releases").build(elsewhere)

    assert there.digest == here.digest
    assert made[-1] is elsewhere


def test_a_release_has_an_environment_of_its_own(builds: Builds, source: Source):
    """With the service and the kit as they were built, and nothing of the deployer's."""
    release = builds.build(source)
    code = "import product, platform_kit; print(product.__file__, platform_kit.__file__, sep='\\n')"
    venv = builds.python(release).parents[1]

    assert all(Path(path).is_relative_to(venv) for path in asked(builds, release, code).split())
    assert asked(builds, release, "import sys; print(sys.prefix)") == str(venv)
    assert runner.run((builds.python(release), "-c", "import deployer")).code == 1


def test_a_wheel_carries_its_migrations(builds: Builds, source: Source):
    """So a release migrates by its own history, not by the checkout's."""
    code = "from importlib.resources import files; print((files('product')/'migrations'/'env.py').is_file())"

    assert asked(builds, builds.build(source), code) == "True"


def test_the_version_is_the_releases_not_the_trees(builds: Builds, source: Source):
    """A changed tree that says 1.0.0 builds a development version of the next patch."""
    development = replace(source, version=V1.next_development(3))
    release = builds.build(development)
    code = "from importlib.metadata import version; print(version('product'))"

    assert release.version == "1.0.1-dev.3"
    assert asked(builds, release, code) == "1.0.1.dev3"
    assert release.digest != builds.build(source).digest


def test_two_threads_build_one_source_once(
    workspace: Workspace, tmp_path: Path, made: list[Source]
):
    """The second waits for the first and takes what it made."""
    builds = Builds(tmp_path / "releases")
    sources = [workspace.stage(PRODUCT, V1, into=tmp_path / str(number)) for number in range(2)]
    together = threading.Barrier(2)

    def build(source: Source) -> Release:
        together.wait()
        return builds.build(source)

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(build, sources)

    assert one == other
    assert len(made) == 1


def test_many_threads_find_one_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """And put the link to it right together, without getting in each other's way."""
    builds = Builds(tmp_path)
    source = Source(PRODUCT, V1, tmp_path, "c" * 64, None)
    home = tmp_path / f"product-1.0.0-{source.content[:16]}"
    home.mkdir()
    (home / "release.json").write_text(json.dumps({"digest": "d" * 64}))
    link = tmp_path / "by-digest" / ("d" * 64)
    link_to = Path.symlink_to

    def linger(self: Path, target: Path, *, target_is_directory: bool = False) -> None:
        threading.Event().wait(0.02)  # the moment between seeing no link and making one
        link_to(self, target, target_is_directory=target_is_directory)

    monkeypatch.setattr(Path, "symlink_to", linger)
    with ThreadPoolExecutor(8) as pool:
        releases = set(pool.map(builds.build, [source] * 8))

    assert len(releases) == 1
    assert link.resolve() == home


def test_a_link_to_nowhere_is_put_right(tmp_path: Path):
    """As after the folder with the releases was moved."""
    builds = Builds(tmp_path)
    home = tmp_path / "product-1.0.0-1"
    home.mkdir()
    link = tmp_path / "by-digest/d"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "nowhere")
    builds._link("d", home)

    assert link.resolve() == home


def test_a_wheel_that_does_not_build_shows_why(builds: Builds, source: Source, made: list[Source]):
    """The last lines of the build are the reader's best hint."""
    shutil.rmtree(source.tree / "migrations")
    error = refused(builds, replace(source, content="f" * 64))

    assert error.code == "build-failed"
    assert "the wheel of product" in error.cause
    assert any("migrations/product" in line for line in error.details)
    assert 0 < len(error.details) <= runner.TAIL_LINES


def test_a_build_that_failed_is_made_anew(source: Source, tmp_path: Path, made: list[Source]):
    """What it left behind is not taken for a release."""
    builds = Builds(tmp_path / "releases")
    migrations = source.tree / "migrations"
    migrations.rename(source.tree / "aside")
    error = refused(builds, source)
    (source.tree / "aside").rename(migrations)
    release = builds.build(source)

    assert error.code == "build-failed"
    assert made == [source, source]
    assert builds.python(release).exists()


def test_dependencies_that_disagree_are_told(builds: Builds, source: Source):
    """That is for the service to mend, and no fault of the network's."""
    edit(source, "services/product/pyproject.toml", '"platform-kit[traces]"', '"platform-kit>=99"')
    error = refused(builds, replace(source, content="e" * 64))

    assert error.code == "install-failed"
    assert any("platform-kit" in line for line in error.details)


def test_without_network_and_cache_an_install_says_so(
    builds: Builds, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An empty cache, and a registry and a proxy that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for name in ("UV_FIND_LINKS", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ):
        monkeypatch.setenv(name, nobody)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{nobody}/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    error = refused(builds, replace(source, content="0" * 64))

    assert error.code == "no-network"
    assert error.details
    assert "product-1.0.0" in error.cause


@pytest.mark.parametrize(
    ("built", "content", "number"),
    [
        ((), "a", 1),
        (("1.0.1-dev.1-a",), "a", 1),
        (("1.0.1-dev.1-a",), "b", 2),
        (("1.0.1-dev.1-a", "1.0.1-dev.10-b"), "c", 11),
        (("1.0.1-dev.1-a", "1.0.1-dev.10-b"), "a", 1),
        (("1.0.2-dev.7-a", "1.0.1-a"), "a", 1),
    ],
    ids=["first", "same", "next", "after a gap", "same again", "another version's"],
)
def test_a_content_keeps_its_development_number(
    tmp_path: Path, built: tuple[str, ...], content: str, number: int
):
    """The same content the same number; another one the next that was never used."""
    builds = Builds(tmp_path)
    for each in built:
        stem, _, letter = each.rpartition("-")
        (tmp_path / f"product-{stem}-{letter * 16}").mkdir()

    assert builds.development_number(PRODUCT, Version(1, 0, 1), content * 64) == number


def test_a_scratch_tree_is_gone_afterwards():
    """Also when a build in it fails."""
    trees = []

    def fail() -> None:
        with scratch_tree() as tree:
            (tree / "file").write_text("")
            trees.append(tree)
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert [tree.exists() for tree in trees] == [False]
