"""Who asks for spans gets them; who does not, pays nothing."""

import logging
import subprocess
import sys

import pytest
from structlog.testing import capture_logs

from platform_kit.otlp import COMPLAINT_SECONDS, Complaints
from platform_kit.spans import is_wanted

COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        (COLLECTOR, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}, True),
        ({**COLLECTOR, "OTEL_SDK_DISABLED": "true"}, False),
        ({**COLLECTOR, "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_environment_says_whether(environment, wanted):
    """By OpenTelemetry's own variables."""
    assert is_wanted(environment) is wanted


def started(prelude, environment):
    """Start spans in a process of their own; return what it imported of the SDK, and its log."""
    program = (
        f"import sys; {prelude}\n"
        "from platform_kit import InstanceSettings, create_app\n"
        "from platform_kit import spans\n"
        "settings = InstanceSettings()\n"
        "create_app('product', settings=settings)\n"
        "spans.start_spans('product', settings)\n"
        "print(spans.recorder() is not None, bool(sys.modules.get('opentelemetry.sdk')))\n"
        "spans.stop_spans()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip(), done.stderr


def test_without_a_collector_nothing_is_imported():
    """The same as without the extra."""
    assert started("", {}) == ("False False", "")


def test_with_a_collector_it_is():
    """The negative control: else the one above would hold of anything."""
    said, log = started("", COLLECTOR)

    assert said == "True True"
    assert '"event": "spans_exported"' in log


def test_without_the_extra_there_is_a_warning_and_no_failure():
    """With what to type."""
    said, log = started("sys.modules['opentelemetry'] = None", COLLECTOR)

    assert said == "False False"
    assert '"event": "spans_not_exported"' in log
    assert "pip install 'platform-kit[traces]'" in log


def test_complaints_come_once_in_a_while():
    """And the next one says how many did not."""
    now = 0.0
    complaints = Complaints(clock=lambda: now)
    record = logging.LogRecord("sdk", logging.ERROR, "", 1, "away: %s", ("the collector",), None)
    with capture_logs() as lines:
        for _ in range(3):
            complaints.handle(record)
        now = COMPLAINT_SECONDS
        complaints.handle(record)

    assert [(line["cause"], line["unsaid"]) for line in lines] == [
        ("away: the collector", 0),
        ("away: the collector", 2),
    ]
