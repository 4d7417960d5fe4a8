"""Business metrics: an attempt and its success are one step, and a repetition is neither."""

import pytest
from flask import Blueprint
from prometheus_client.parser import text_string_to_metric_families

from platform_kit import Business, Problem
from platform_kit.instance import Instance

IDENTITY = {"service": "product", "version": "1.1.0", "slot": "green"}

orders = Business("orders")


class LostError(Exception):
    """A fault that nobody foresaw."""


@pytest.fixture
def app(make_app):
    routes = Blueprint("things", __name__)

    @routes.post("/orders/<how>")
    def place(how):
        with orders.attempt() as attempt:
            if how == "refused":
                raise Problem(409, "out_of_stock", "None are left.")
            if how == "broken":
                attempt.success()
                raise LostError
            if how == "again":
                attempt.repeated()
            if how == "done":
                attempt.success()
        return {}

    return make_app(routes)


def pairs(app):
    """Every sample of a business metric: by its name and that of the pair, with its labels."""
    text = Instance.of(app).metrics.exposition().decode()
    return {
        (sample.name, sample.labels["name"]): sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("business_")
    }


def counted(app):
    found = pairs(app)
    return tuple(
        found[f"business_{what}_total", "orders"].value for what in ("attempts", "successes")
    )


@pytest.mark.parametrize(
    ("how", "expected"),
    [("done", (1, 1)), ("nothing", (1, 0)), ("refused", (1, 0)), ("broken", (1, 0))],
)
def test_an_attempt_counts_as_done_only_when_it_was(app, how, expected):
    """A word too little, a refusal and an exception after the word are attempts without success."""
    app.test_client().post(f"/api/v1/orders/{how}")

    assert counted(app) == expected


def test_a_repetition_is_no_attempt_and_no_success(app):
    """What the same request did the first time is counted already."""
    for how in ("done", "again", "again"):
        app.test_client().post(f"/api/v1/orders/{how}")

    assert counted(app) == (1, 1)


def test_a_pair_that_was_never_attempted_is_not_there(app):
    """Not seen is not the same as none of nothing."""
    app.test_client().get("/api")

    assert pairs(app) == {}


def test_every_sample_says_who(app):
    """The labels of all other metrics, and the pair's name."""
    app.test_client().post("/api/v1/orders/done")

    assert [sample.labels for sample in pairs(app).values()] == [{**IDENTITY, "name": "orders"}] * 2


def test_an_attempt_that_is_not_over_does_not_count(make_app):
    """Else a slow one would look like one that came to nothing."""
    app = make_app()
    with app.app_context(), orders.attempt() as attempt:
        during = pairs(app)
        attempt.success()

    assert (during, counted(app)) == ({}, (1, 1))


def test_two_pairs_do_not_mix(make_app):
    """A service may have several."""
    app = make_app()
    with app.app_context():
        for name in ("orders", "refunds", "refunds"):
            with Business(name).attempt():
                pass
    values = {name: sample.value for name, sample in pairs(app).items()}

    assert values == {
        ("business_attempts_total", "orders"): 1,
        ("business_successes_total", "orders"): 0,
        ("business_attempts_total", "refunds"): 2,
        ("business_successes_total", "refunds"): 0,
    }


@pytest.mark.parametrize("name", ["", "Orders", "orders placed", 'orders"', "1st"])
def test_a_name_that_is_no_word_is_refused(name):
    """Where it is made, and not at the first scrape."""
    with pytest.raises(ValueError, match="one word in lower case"):
        Business(name)
