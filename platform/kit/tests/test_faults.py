"""Faults on purpose: only where allowed, only where asked, counted like any other answer."""

import time

import pytest

from platform_kit import InstanceSettings, InvalidSetting
from platform_kit.faults import Faults
from platform_kit.instance import Instance
from platform_kit.problems import Problem


def faulty(**faults):
    return InstanceSettings(version="1.1.0", faults_allowed=True, **faults)


def statuses(app, path="/api", times=200):
    client = app.test_client()
    return [client.get(path).status_code for _ in range(times)]


def test_an_injected_error_says_so(make_app):
    """A 500 with a code of its own: nobody must take it for a real one."""
    app = make_app(settings=faulty(fault_error_share=1))
    answer = app.test_client().get("/api")

    assert answer.status_code == 500
    assert answer.get_json(force=True)["code"] == "fault_injected"
    assert b'status="500"' in Instance.of(app).metrics.exposition()


def test_the_share_is_met(make_app):
    """20 % of 1000: less than 10 % or more than 30 % happens once in 10^14 runs."""
    found = statuses(make_app(settings=faulty(fault_error_share=0.2)), times=1000)

    assert 100 < found.count(500) < 300


@pytest.mark.parametrize("share", [0, 1])
def test_none_and_all_are_exact(make_app, share):
    """No rounding at the ends."""
    found = statuses(make_app(settings=faulty(fault_error_share=share)))

    assert found.count(500) == share * 200


def test_only_the_path_is_hit(make_app):
    """The prefix decides; the rest of the service is well."""
    app = make_app(settings=faulty(fault_error_share=1, fault_path="/api/v1/products"))

    assert set(statuses(app, "/api")) == {200}
    assert set(statuses(app, "/api/v1/products/7")) == {500}


def test_faults_begin_some_time_after_the_first_request(monkeypatch):
    """A release that is good at first: time counts from its first request, not from its start."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    faults = Faults(faulty(fault_error_share=1, fault_after_seconds=5))
    now[0] += 1000
    faults.inject("/api")
    now[0] += 4.9
    faults.inject("/api")
    now[0] += 0.1

    with pytest.raises(Problem, match="fault_injected"):
        faults.inject("/api")


def test_latency_is_added(make_app):
    """And is part of what the histogram sees."""
    app = make_app(settings=faulty(fault_latency_seconds=0.05))
    begun = time.monotonic()
    answer = app.test_client().get("/api")

    assert answer.status_code == 200
    assert time.monotonic() - begun >= 0.05
    assert (
        b'le="0.025",method="GET",route="/api",service="product",slot="blue",version="1.1.0"} 0.0'
        in (Instance.of(app).metrics.exposition())
    )


def test_settings_made_by_hand_need_permission_too(make_app):
    """There is no way around it through the code."""
    with pytest.raises(InvalidSetting, match="PLATFORM_FAULT_LATENCY_SECONDS"):
        make_app(settings=InstanceSettings(fault_latency_seconds=1))
