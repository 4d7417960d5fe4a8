"""The tests of a release that the gate runs, and those that it leaves out."""

import sys

import psutil
from polling import eventually

from deployer.migrations.suites import Suite
from deployer.model import Release, ServiceName

PASSING = """
import pytest
@pytest.mark.integration
def test_passes():
    assert sum([1, 2]) == 3
"""
DOCUMENTS = """
import pytest
@pytest.mark.contract
@pytest.mark.integration
def test_documents():
    raise AssertionError
"""
NOT_IMPORTED = """
import pytest
pytestmark = [pytest.mark.contract, pytest.mark.usefixtures("many")]
raise AssertionError
"""
WITHOUT_DATABASE = """
def test_arithmetic():
    raise AssertionError
"""
ENDLESS = """
import subprocess
from pathlib import Path
import pytest
@pytest.mark.integration
def test_waits():
    child = subprocess.Popen(["sleep", "60"])
    Path("{pid}").write_text(f"{{child.pid}}.")
    child.wait()
"""
SETTINGS = """
[tool.pytest.ini_options]
addopts = ["--strict-markers", "--import-mode=importlib"]
markers = {markers}
"""


def suite_of(tree, *, markers=("integration", "contract"), **modules):
    folder = tree / "services" / "toys" / "tests"
    folder.mkdir(parents=True)
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    (tree / "pyproject.toml").write_text(SETTINGS.format(markers=list(markers)))
    return Suite(Release(ServiceName("toys"), "1.0.0", "0" * 8), tree, sys.executable)


def test_what_asks_nothing_of_the_schema_is_left_out(tmp_path):
    """The documents, and what has no database: they would fail here, if they were run."""
    suite = suite_of(tmp_path, test_one=PASSING, test_two=DOCUMENTS, test_three=WITHOUT_DATABASE)
    tested = suite.run("0001", tmp_path)

    assert tested.passed, tested.lines
    assert "1 passed" in tested.summary


def test_a_file_of_what_is_left_out_is_not_imported(tmp_path):
    """Nor are the libraries that it needs."""
    tested = suite_of(tmp_path, test_one=PASSING, test_two=NOT_IMPORTED).run("0001", tmp_path)

    assert tested.passed, tested.lines


def test_a_commit_that_knows_fewer_markers_is_asked_for_those_alone(tmp_path):
    """Pytest refuses an expression with one that it has not heard of."""
    tested = suite_of(tmp_path, markers=["integration: all of it"], test_one=PASSING).run(
        "0001", tmp_path
    )

    assert tested.passed, tested.lines


def test_a_test_that_fails_is_told(tmp_path):
    """The negative control."""
    failing = PASSING.replace("3", "4")
    tested = suite_of(tmp_path, test_one=failing).run("0001", tmp_path)

    assert not tested.passed
    assert "1 failed" in tested.summary


def test_an_interrupted_suite_ends_with_what_its_tests_have_started(tmp_path):
    """It would have taken a minute."""
    pid = tmp_path / "pid"
    tested = suite_of(tmp_path, test_one=ENDLESS.format(pid=pid)).run(
        "0001", tmp_path, interrupted=lambda: pid.exists() and pid.read_text().endswith(".")
    )

    assert not tested.passed
    assert eventually(lambda: not psutil.pid_exists(int(pid.read_text().rstrip("."))))
