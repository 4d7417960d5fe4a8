"""The programs for a cluster: their versions as they tell them, and what happens without them."""

from __future__ import annotations

from pathlib import Path

import pytest
from programs_on_path import asked, script

from deployer.errors import OperationError
from deployer.programs import (
    DOCKER,
    HELM,
    PROGRAMS,
    SKAFFOLD,
    Program,
    ProgramVersion,
    require,
    require_helm,
    version_of,
)

pytestmark = pytest.mark.integration
ANSWERS = {"helm": "v3.19.0+g3d8990f", "docker": "28.2.2\n", "skaffold": "v2.18.0\n"}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH: what our scripts need, and no program of this machine's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "cat").symlink_to("/bin/cat")
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_each_program_is_asked_in_its_own_way(path: Path):
    """And its answer is read, whatever comes after the three numbers."""
    for program in PROGRAMS:
        script(path, program.name, says=ANSWERS[program.name])
    found = [str(require(program)) for program in PROGRAMS]

    assert found == ["3.19.0", "28.2.2", "2.18.0"]
    assert asked(path, "helm") == ["version --template {{.Version}}"]
    assert asked(path, "docker") == ["version --format {{.Server.Version}}"]
    assert asked(path, "skaffold") == ["version"]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_program_that_is_not_there_is_told_with_how_to_get_it(path: Path, program: Program):
    """By a code of its own."""
    with pytest.raises(OperationError) as raised:
        require(program)

    assert raised.value.code == f"{program.name}-missing"
    assert raised.value.hint == program.get


@pytest.mark.parametrize(
    ("program", "old", "just"),
    [(HELM, "v3.13.3", "v3.14"), (DOCKER, "19.3.15", "20.10.0"), (SKAFFOLD, "v2.12.9", "v2.13.0")],
    ids=["helm", "docker", "skaffold"],
)
def test_a_program_is_too_old_by_one_version_and_not_by_none(
    path: Path, program: Program, old: str, just: str
):
    """The error names both versions; the oldest that does is good enough."""
    script(path, program.name, says=just)
    accepted = require(program)
    script(path, program.name, says=old)
    with pytest.raises(OperationError) as raised:
        require(program)

    assert accepted == program.oldest
    assert raised.value.code == f"{program.name}-too-old"
    assert old.removeprefix("v") in raised.value.cause
    assert str(program.oldest) in raised.value.cause


@pytest.mark.parametrize(("says", "code"), [("", 1), ("3.19.0", 1), ("who knows", 0)])
def test_a_program_that_tells_no_version_is_broken(path: Path, says: str, code: int):
    """Its own words are below the error; a version beside a failure does not count."""
    script(path, "docker", says=says, warns="Cannot connect to the Docker daemon", code=code)
    with pytest.raises(OperationError) as raised:
        version_of(DOCKER)

    assert raised.value.code == "program-broken"
    assert raised.value.details == ("Cannot connect to the Docker daemon",)
    assert "DOCKER_HOST" in raised.value.hint


def test_a_newer_major_version_does():
    """Versions are compared by numbers, not by letters."""
    order = [
        ProgramVersion(3, 9),
        ProgramVersion(3, 14),
        ProgramVersion(3, 14, 2),
        ProgramVersion(4, 0),
    ]

    assert sorted(order, key=lambda version: version.order) == order


def test_helm_is_required_before_anything_is_changed(path: Path):
    """One call says whether it will do."""
    script(path, "helm", says="v4.0.0")

    assert require_helm() == ProgramVersion(4, 0, 0)


@pytest.mark.parametrize(
    ("text", "version"),
    [("v1.34.4+k3s1", ProgramVersion(1, 34, 4)), (" 2.13", ProgramVersion(2, 13)), ("main", None)],
)
def test_a_version_is_read_from_what_a_text_begins_with(text: str, version: ProgramVersion | None):
    """Or there is none."""
    assert ProgramVersion.read(text) == version
