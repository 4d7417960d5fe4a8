"""The tests of a release that the gate runs, and those that it leaves out."""

import sys

from deployer.migrations.suites import Suite
from deployer.model import Release, ServiceName

PASSING = "def test_passes():\n    assert True\n"
DOCUMENTS = (
    "import pytest\n@pytest.mark.contract\ndef test_documents():\n    raise AssertionError\n"
)


def suite_of(tree, **modules):
    folder = tree / "services" / "toys" / "tests"
    folder.mkdir(parents=True)
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    (tree / "pytest.ini").write_text("[pytest]\nmarkers = contract\n")
    return Suite(Release(ServiceName("toys"), "1.0.0", "0" * 8), tree, sys.executable)


def test_the_tests_of_the_documents_are_left_out(tmp_path):
    """They would fail here, if they were run."""
    tested = suite_of(tmp_path, test_one=PASSING, test_contract=DOCUMENTS).run("0001", tmp_path)

    assert tested.passed, tested.lines
    assert "1 passed, 1 deselected" in tested.summary


def test_a_test_that_fails_is_told(tmp_path):
    """The negative control."""
    failing = PASSING.replace("True", "False")
    tested = suite_of(tmp_path, test_one=failing).run("0001", tmp_path)

    assert not tested.passed
    assert "1 failed" in tested.summary
