"""What `/metrics` shows of events."""

import threading

import pytest

from platform_kit import InstanceSettings, create_app, start_background
from platform_kit.events import relay as relaying
from platform_kit.instance import Instance

pytestmark = pytest.mark.integration


@pytest.fixture
def app(database, relay, consumer):
    """An instance that tells and is told."""
    return create_app("shop", events=(relay, consumer), settings=InstanceSettings())


def shown(app, name):
    """Values by outcome and type, without the labels of the instance."""
    page = Instance.of(app).metrics.exposition().decode()
    lines = [line for line in page.splitlines() if line.startswith(f"{name}{{")]
    assert all('service="shop"' in line for line in lines)
    pairs = [line.rsplit(" ", 1) for line in lines]
    return {
        tuple(
            part.split('"')[1]
            for part in labels.split("{")[1].split(",")
            if part.split("=")[0] in {"type", "outcome"}
        ): float(value)
        for labels, value in pairs
    }


def test_all_of_it_is_there_from_the_start(app):
    """As 0: a rate that begins with its first event would miss it."""
    assert shown(app, "outbox_events") == {(): 0}
    assert shown(app, "outbox_oldest_seconds") == {(): 0}
    assert shown(app, "outbox_given_up") == {(): 0}
    assert shown(app, "outbox_deliveries_total") == {
        (outcome,): 0 for outcome in ("delivered", "refused", "unreachable")
    }
    assert shown(app, "inbox_events_total") == {
        (outcome, "Told"): 0 for outcome in ("applied", "repeated", "skipped")
    }


def test_what_waits_and_what_came_of_the_rest_is_shown(app, tell, relay, line, monkeypatch):
    """By an instance that runs: it delivers, counts and looks by itself."""
    monkeypatch.setattr(relaying, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(relaying, "LOOK_SECONDS", 0.0)
    line.poison = {"bad"}
    tell("bad")
    tell("tea")
    tell("of tomorrow", version=2)

    with start_background(app):
        for _ in range(1000):
            if shown(app, "outbox_events") == {(): 1}:
                break
            threading.Event().wait(0.01)

    assert shown(app, "outbox_events") == {(): 1}
    assert shown(app, "outbox_oldest_seconds")[()] > 0
    assert shown(app, "outbox_deliveries_total")["delivered",] == 2
    assert shown(app, "outbox_deliveries_total")["refused",] >= 1
    assert shown(app, "inbox_events_total")["applied", "Told"] == 1
    assert shown(app, "inbox_events_total")["skipped", "Told"] == 1
