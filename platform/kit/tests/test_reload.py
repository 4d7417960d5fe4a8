"""The reloader: what is saved is served, whatever was saved in between."""

import os
import shutil

import pytest

pytestmark = pytest.mark.integration

APP = """
from flask import Blueprint
from platform_kit import create_app

routes = Blueprint("routes", __name__)


@routes.get("/word")
def word():
    return {"word": "first"}


def create():
    return create_app("talker", blueprints=[routes])
"""


@pytest.fixture
def package(tmp_path):
    """A service that says a word."""
    package = tmp_path / "source" / "talker"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "app.py").write_text(APP)
    return package


@pytest.fixture
def talker(start, package):
    def talker(**environment):
        return start(
            "talker",
            PYTHONPATH=package.parent,
            PLATFORM_RELOAD="true",
            PLATFORM_QUIET_SECONDS="0.05",
            **environment,
        )

    return talker


# Five times what it takes on a machine that does nothing else; the drain of an instance in service is longer.
SOON_SECONDS = 15


def says(get, instance, word):
    try:
        return get(instance.port, "/api/v1/word").json() == {"word": word}
    except OSError:
        return False


def test_what_is_saved_is_served(talker, package, get, eventually):
    """The same ports, a new instance behind them; whoever goes on asking the old one does not hold it up."""
    instance = talker()
    (package / "app.py").write_text(APP.replace("first", "second"))

    assert eventually(lambda: says(get, instance, "second"), seconds=SOON_SECONDS)


def test_half_a_line_is_survived(talker, package, get, eventually):
    """The instance ends, the reloader stays, and the next save brings it back."""
    instance = talker()
    (package / "app.py").write_text(APP + "def (")
    eventually(lambda: "SyntaxError" in instance.log.read_text())
    eventually(lambda: instance.probe("/health") is None)
    (package / "app.py").write_text(APP.replace("first", "third"))

    assert eventually(lambda: says(get, instance, "third"))


def test_a_stop_drains_the_instance(talker):
    """The exit code is the instance's, and it says that it has drained."""
    instance = talker()

    assert instance.stop() == 0
    assert instance.event("instance_drained")["cut_off"] == 0


def test_the_code_runs_from_a_folder_where_changes_go(talker, package, tmp_path, get, eventually):
    """As in an image whose file system is read-only: the installed package stays as it is."""
    folder = tmp_path / "folder"
    instance = talker(PLATFORM_RELOAD_FOLDER=folder)
    (folder / "talker" / "app.py").write_text(APP.replace("first", "fourth"))
    eventually(lambda: says(get, instance, "fourth"))

    assert (package / "app.py").read_text() == APP
    assert (folder / "platform_kit" / "serve.py").is_file()


def test_a_restart_keeps_what_was_changed_in_the_folder(talker, package, tmp_path, get):
    """A container that is started again in its pod finds the folder as it was."""
    copied = tmp_path / "folder" / "talker"
    shutil.copytree(package, copied)
    (copied / "app.py").write_text(APP.replace("first", "fifth"))
    instance = talker(PLATFORM_RELOAD_FOLDER=copied.parent)

    assert says(get, instance, "fifth")


def test_without_it_a_change_is_not_served(start, package, get, eventually):
    """The negative control: an instance keeps the code that it was started with."""
    instance = start("talker", PYTHONPATH=package.parent)
    (package / "app.py").write_text(APP.replace("first", "second"))
    os.utime(package / "app.py")
    for _ in range(5):
        assert says(get, instance, "first")
