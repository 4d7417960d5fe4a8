"""Flags in a real instance: gunicorn's worker watches the file, and its threads decide by it."""

import json

import pytest
from flag_files import content, definition, split

pytestmark = pytest.mark.integration

APP = """
from datetime import date

from flask import Blueprint, request

from platform_kit import create_app
from platform_kit.flags import BooleanFlag, FlagSet

LOUD = BooleanFlag(
    "loud", default=False, owner="us", expires=date(2999, 1, 1), description="A test's."
)

routes = Blueprint("routes", __name__)


@routes.get("/word")
def word():
    return {"loud": LOUD.on(request.args["who"])}


def create():
    return create_app("caller", blueprints=[routes], flags=FlagSet("caller", LOUD))
"""


@pytest.fixture
def caller(start, tmp_path):
    package = tmp_path / "source" / "caller"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "app.py").write_text(APP)
    (package / "flags.json").write_text(content(loud=split(100)))

    def caller(**environment):
        return start("caller", PYTHONPATH=package.parent, **environment)

    return caller


def loud(get, instance, who="ada"):
    return get(instance.port, f"/api/v1/word?who={who}").json()["loud"]


def test_a_change_reaches_the_worker_without_a_restart(caller, tmp_path, get, eventually):
    """The same process before and after, and the log says what came into force."""
    path = tmp_path / "flags.json"
    path.write_text(content(loud=split(0)))
    instance = caller(PLATFORM_FLAGS_FILE=path)
    worker, before = instance.worker().pid, loud(get, instance)
    path.write_text(content(loud=definition(defaultVariant="on")))
    eventually(lambda: loud(get, instance))
    loaded = [event["digest"] for event in instance.events() if event["event"] == "flags_loaded"]

    assert (before, instance.worker().pid, len(set(loaded))) == (False, worker, 2)
    assert instance.metric(f'flag_file_info{{digest="{loaded[1]}"') == 1


def test_without_the_setting_the_shipped_file_is_in_force(caller, get):
    """And what was decided is on /metrics."""
    instance = caller()

    assert loud(get, instance)
    assert instance.metric("flag_file_ok") == 1
    page = get(instance.admin_port, "/metrics").body.decode()
    (told,) = [
        line
        for line in page.splitlines()
        if line.startswith("flag_decisions_total{")
        and 'flag="loud"' in line
        and 'variant="on"' in line
    ]
    assert told.endswith(" 1.0")


def test_a_broken_file_keeps_no_instance_from_starting(caller, tmp_path, get):
    """The code's defaults are in force, and it says so."""
    path = tmp_path / "flags.json"
    path.write_text(json.dumps({"flags": {"loud": {"state": "on"}}}))
    instance = caller(PLATFORM_FLAGS_FILE=path)

    assert not loud(get, instance)
    assert instance.metric("flag_file_ok") == 0
    assert "flags.loud.state" in instance.event("flags_refused")["error"]
