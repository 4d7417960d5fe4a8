"""Logs: one JSON object a line, with who, when and which request."""

import json
import logging
import logging.config
import threading
from datetime import datetime

import pytest
import structlog
from flask import Blueprint

from platform_kit import InstanceSettings, logger, logs
from platform_kit.logs import JsonFormatter, RequestLines, gunicorn_logs


@pytest.fixture
def lines(capsys):
    """Read what was logged since the last time."""
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_finished_request_is_one_event(make_app, lines):
    """With the template of its route, never its values or its body."""
    routes = Blueprint("things", __name__)
    routes.get("/things/<name>")(lambda name: {"name": name})
    make_app(routes).test_client().get(
        "/api/v1/things/secret?token=secret", headers={"X-Request-Id": "r1"}
    )
    (event,) = lines()
    seconds, timestamp = event.pop("seconds"), event.pop("timestamp")
    ids = (event.pop("trace_id"), event.pop("span_id"))

    assert event == {
        "event": "request_finished",
        "level": "info",
        "source": "platform_kit.requests",
        "service": "product",
        "version": "1.1.0",
        "slot": "green",
        "request_id": "r1",
        "method": "GET",
        "route": "/api/v1/things/<name>",
        "status": 200,
    }
    assert [len(each) for each in ids] == [32, 16]
    assert 0 < seconds < 5
    assert datetime.fromisoformat(timestamp).utcoffset().total_seconds() == 0


@pytest.fixture
def holding(monkeypatch):
    """Request lines as an instance writes them, but written only when it stops."""
    monkeypatch.setattr(logs, "HELD_SECONDS", 60)
    stop, held = threading.Event(), RequestLines({"service": "product"}, "info")
    thread = threading.Thread(target=held.run, args=(stop,))

    def finish():
        stop.set()
        thread.join(10)

    thread.start()
    while not held.is_holding:
        thread.join(0.01)
    yield held, finish
    finish()


def answered(held, times):
    for number in range(times):
        held.finished("GET", f"/{number}", status=200, seconds=0.1, keys={})


def test_an_instance_writes_the_lines_of_a_moment_together(holding, lines):
    """All of them, in their order, at the latest when it stops; from then on each at once."""
    held, finish = holding
    answered(held, 20)
    before = lines()
    finish()
    after = lines()
    answered(held, 1)

    assert before == []
    assert [line["route"] for line in after] == [f"/{number}" for number in range(20)]
    assert len(lines()) == 1


def test_the_line_of_a_failure_is_not_held(holding, lines):
    """The deployer looks for it while it decides."""
    held, _ = holding
    answered(held, 1)
    held.finished("GET", "/broken", status=500, seconds=0.1, keys={})

    assert [line["route"] for line in lines()] == ["/broken"]


def test_no_more_lines_are_held_than_fit(holding, lines, monkeypatch):
    """What nobody writes does not fill the memory: the next line is written by who has it."""
    monkeypatch.setattr(logs, "MOST_HELD", 3)
    held, finish = holding
    answered(held, 5)
    at_once = lines()
    finish()

    assert [line["route"] for line in at_once] == ["/3", "/4"]
    assert [line["route"] for line in lines()] == ["/0", "/1", "/2"]


def test_a_services_own_events_carry_the_request_id(make_app, lines):
    """And lose it when the request is over."""
    log = logger("product.stock")
    routes = Blueprint("things", __name__)

    @routes.get("/reserve")
    def reserve():
        log.info("stock_reserved", product=7)
        return {}

    make_app(routes).test_client().get("/api/v1/reserve", headers={"X-Request-Id": "r1"})
    log.info("sweeper_started")
    reserved, _, started = lines()

    assert (reserved["event"], reserved["product"]) == ("stock_reserved", 7)
    assert (reserved["source"], reserved["request_id"]) == ("product.stock", "r1")
    assert "request_id" not in started
    assert structlog.contextvars.get_contextvars() == {}


@pytest.mark.parametrize(("level", "expected"), [("info", 2), ("warning", 1), ("error", 0)])
def test_the_level_is_the_environments(make_app, lines, level, expected):
    """What is below it is not written."""
    make_app(settings=InstanceSettings(log_level=level))
    logger("x").info("stock_reserved")
    logger("x").warning("stock_low")

    assert len(lines()) == expected


def test_gunicorns_records_become_the_same_lines():
    """The standard library's logging, with the kit's keys."""
    formatter = JsonFormatter(service="product", version="1.1.0", slot="blue")
    record = logging.LogRecord(
        "gunicorn.error", logging.INFO, "", 0, "Listening at %s", ("x",), None
    )
    line = json.loads(formatter.format(record))

    assert (line["event"], line["level"], line["source"]) == (
        "Listening at x",
        "info",
        "gunicorn.error",
    )
    assert (line["service"], line["version"], line["slot"]) == ("product", "1.1.0", "blue")


def test_a_traceback_stays_on_its_line():
    """As a string in the object."""
    with pytest.raises(ZeroDivisionError) as failed:
        _ = 1 // 0
    info = (failed.type, failed.value, failed.tb)
    record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), info)
    text = JsonFormatter().format(record)

    assert "\n" not in text
    assert "ZeroDivisionError" in json.loads(text)["exception"]


def test_the_standard_library_takes_the_configuration():
    """Checked without touching the test run's own logging."""
    config = gunicorn_logs("product", InstanceSettings(log_level="debug"))
    configurator = logging.config.DictConfigurator(config)
    formatter = configurator.configure_formatter(config["formatters"]["json"])

    assert isinstance(formatter, JsonFormatter)
    assert config["loggers"]["gunicorn.error"]["level"] == "DEBUG"
