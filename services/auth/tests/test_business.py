"""Logins, as operators count them: a wrong password is an attempt, nonsense is none."""

import re
import tomllib
from pathlib import Path

import pytest

from platform_kit.instance import Instance

pytestmark = pytest.mark.integration

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
(NAME,) = PROJECT["tool"]["deployer"]["business"]


def counted(app):
    """Attempts and successes of what the service declares, as the deployer reads them."""
    page = Instance.of(app).metrics.exposition().decode()
    line = rf'^business_(attempts|successes)_total{{.*name="{NAME}".*}} (\S+)$'
    found = dict(re.findall(line, page, re.MULTILINE))
    return float(found.get("attempts", 0)), float(found.get("successes", 0))


def test_a_login_is_an_attempt_that_was_done(app, client, customer):
    """What a release must not have fewer of."""
    client.post("/api/v1/tokens", json={"email": customer.email, "password": customer.password})

    assert counted(app) == (1, 1)


def test_a_wrong_password_is_an_attempt_without_success(app, client, customer):
    """A release that takes every password for wrong shows here."""
    client.post("/api/v1/tokens", json={"email": customer.email, "password": "something else"})

    assert counted(app) == (1, 0)


def test_a_body_that_is_none_is_no_attempt(app, client):
    """Who sends nonsense does not log in, whatever the release."""
    client.post("/api/v1/tokens", json={"email": "nobody"})

    assert counted(app) == (0, 0)
