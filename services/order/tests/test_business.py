"""Orders placed, as operators count them: sold out is an attempt, a replay is none."""

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


def test_an_order_is_an_attempt_that_was_done(ada, app, tea):
    """What a release must not have fewer of."""
    ada.place({tea: 2})

    assert counted(app) == (1, 1)


def test_an_order_of_too_much_is_an_attempt_without_success(ada, app, cup):
    """A release that finds everything sold out shows here."""
    ada.place({cup: 6})

    assert counted(app) == (1, 0)


def test_an_order_that_product_cannot_serve_is_an_attempt_without_success(ada, app, router, tea):
    """Nothing was placed, whoever is to blame."""
    ada.place({tea: 1})
    router.stop()
    ada.place({tea: 1})

    assert counted(app) == (2, 1)


def test_a_replay_is_no_attempt(ada, app, tea):
    """The key's order was counted when it was placed."""
    for _ in range(3):
        ada.place({tea: 2}, key="mine")

    assert counted(app) == (1, 1)


def test_an_order_of_nothing_is_no_attempt(ada, app):
    """It is not well-formed."""
    ada.place({})

    assert counted(app) == (0, 0)
