"""Profile updates, as operators count them."""

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


def test_an_update_is_an_attempt_that_was_done(app, client, ada):
    """Also the first one, which makes the profile."""
    for name in ("Ada", "Ada L."):
        client.put("/api/v1/profile", json={"name": name}, headers=ada)

    assert counted(app) == (2, 2)


def test_an_update_that_cannot_be_written_is_an_attempt_without_success(instance, issuer, ada):
    """The database is away."""
    app = instance("postgresql://127.0.0.1:9/nowhere", issuer.router_url)
    app.test_client().put("/api/v1/profile", json={"name": "Ada"}, headers=ada)

    assert counted(app) == (1, 0)


@pytest.mark.parametrize("case", ["no name", "no token"])
def test_what_is_not_well_formed_is_no_attempt(app, client, ada, case):
    """Neither a body without a name nor a caller that nobody knows."""
    body, headers = ({}, ada) if case == "no name" else ({"name": "Ada"}, {})
    client.put("/api/v1/profile", json=body, headers=headers)

    assert counted(app) == (0, 0)
