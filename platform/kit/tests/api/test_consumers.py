"""Who calls which version: known from tokens that were verified, and never more labels than a metric can bear."""

import re

import pytest
from flask import Flask

from platform_kit.api.consumer import Consumers, remember_claims
from platform_kit.instance import Instance


def label(consumers, subject):
    with Flask("some").test_request_context():
        remember_claims({"sub": subject})
        return consumers.label()


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("9f0d7c0e", "customer"),
        ("service:order", "order"),
        ("service:stock-keeper", "stock-keeper"),
        ("service:", "other"),
        ('service:or"der', "other"),
        ("service:" + "x" * 41, "other"),
        ("Service:order", "customer"),
    ],
)
def test_a_subject_is_one_word(subject, expected):
    """A service by its name, every customer as one."""
    assert label(Consumers(), subject) == expected


def test_whoever_shows_no_token_is_anonymous():
    """Nobody verified anything."""
    with Flask("some").test_request_context():
        assert Consumers().label() == "anonymous"


def test_there_are_only_so_many_services():
    """Those that came first keep their names."""
    consumers = Consumers(most_services=3)
    labels = [label(consumers, f"service:s{number}") for number in range(10)]

    assert labels == ["s0", "s1", "s2", *["other"] * 7]
    assert label(consumers, "service:s1") == "s1"


def counted(app):
    page = Instance.of(app).metrics.exposition().decode()
    found = re.findall(
        r'^api_calls_total{.*api="(\w+)",consumer="(\w+)".*} (\S+)$', page, re.MULTILINE
    )
    return {(api, consumer): float(count) for api, consumer, count in found}


def test_calls_are_counted_by_version(app, client, world):
    """Also those that are refused, and those that come after the sunset: they are why it is asked."""
    client.get("/api/v1/things")
    client.put("/api/v1/things/9")
    client.get("/api/v2/things")
    world.now = world.now.replace(year=2030)
    client.get("/api/v1/things")

    assert counted(app) == {("v1", "anonymous"): 3.0, ("v2", "anonymous"): 1.0}


def test_what_is_no_operation_is_no_call(app, client):
    """Documents and wrong paths are nobody's need for a version."""
    for path in ("/api/v1/docs", "/api/v1/openapi.json", "/api/v1/nothing", "/api", "/api/v9/x"):
        client.get(path)

    assert counted(app) == {}
