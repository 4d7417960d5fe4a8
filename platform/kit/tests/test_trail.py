"""The audit trail: complete, and at every log level."""

import json

import pytest
from flask import Blueprint

from platform_kit import InstanceSettings, audit, logger


@pytest.fixture
def told(make_app, capsys):
    """Call a route that audits and logs at a level, and return the lines."""

    def call(level):
        routes = Blueprint("doors", __name__)

        @routes.get("/door")
        def door():
            logger("doors").info("door_seen")
            audit("door_opened", subject="account-1", outcome="done", times=2)
            return {}

        settings = InstanceSettings(version="1.1.0", admin_port=0, log_level=level)
        make_app(routes, settings=settings).test_client().get(
            "/api/v1/door", headers={"X-Request-Id": "r1", "X-Forwarded-For": "192.0.2.7"}
        )
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        return {line["event"]: line for line in lines}

    return call


def test_an_event_says_who_from_where_and_how_it_ended(told):
    """Beside what every line says: the service and the request."""
    event = told("info")["door_opened"]

    assert {key: event[key] for key in ("audit", "subject", "client", "outcome", "times")} == {
        "audit": True,
        "subject": "account-1",
        "client": "192.0.2.7",
        "outcome": "done",
        "times": 2,
    }
    assert (event["service"], event["request_id"]) == ("product", "r1")


def test_no_log_level_silences_it(told):
    """The control: an ordinary event of the same level is not written."""
    assert set(told("error")) == {"door_opened"}
