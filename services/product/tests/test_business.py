"""Reservations, as operators count them: sold out is an attempt, a repetition is none."""

import re
import tomllib
from pathlib import Path
from uuid import uuid4

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


def test_a_reservation_is_an_attempt_that_was_done(app, reserve, stocked):
    """What a release must not have fewer of."""
    reserve(uuid4(), {stocked(): 1})

    assert counted(app) == (1, 1)


def test_too_little_stock_is_an_attempt_without_success(app, reserve, stocked):
    """A release that finds everything sold out shows here."""
    reserve(uuid4(), {stocked(stock=1): 2})

    assert counted(app) == (1, 0)


def test_the_same_reservation_again_is_no_attempt(app, reserve, stocked):
    """It was counted when it was made."""
    reservation, tea = uuid4(), stocked()
    for _ in range(3):
        reserve(reservation, {tea: 1})

    assert counted(app) == (1, 1)


def test_a_reservation_of_nothing_is_no_attempt(app, reserve):
    """It is not well-formed."""
    reserve(uuid4(), {})

    assert counted(app) == (0, 0)
