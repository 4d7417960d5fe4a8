"""The demo's traffic: at its rate, every answer recorded, and what they add up to."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest
from answering import Answering
from shopfront import until

from deployer.commands.demo.report import (
    BadRelease,
    Promotion,
    Report,
    bad_release_of,
    promotion_of,
    served_by_version,
)
from deployer.commands.demo.story import Call, Customer
from deployer.commands.demo.traffic import Answer, Traffic, p95
from deployer.model import ServiceName

SHOP = ServiceName("shop")
CALL = Call(SHOP, "GET", "/shop/a")


@pytest.fixture
def server() -> Iterator[Answering]:
    with Answering() as answering:
        yield answering


def answers_of(server: Answering, *calls: Call, number: int = 10, **more: float) -> list[Answer]:
    """Let traffic flow until so many answers came."""
    customer = Customer(server.url, server.url)
    traffic = Traffic(customer, calls or (CALL,), per_second=500.0, **more)  # type: ignore[arg-type]
    traffic.start()
    until(lambda: len(traffic.answers) >= number, "enough answers")
    traffic.stop()
    return list(traffic.answers)


def answer(at: float, status: int = 200, version: str | None = "1.0.0", **more: object) -> Answer:
    values = {"seconds": 0.01, "injected": False, **more}
    return Answer(SHOP, at, status=status, version=version, **values)  # type: ignore[arg-type]


def test_an_answer_says_who_gave_it(server: Answering):
    """Version by the header that every service sends; none when it is missing or strange."""
    server.says(200, {}, X_Served_By="shop@1.2.0-dev.3 (green)")
    known = answers_of(server, number=2)
    server.says(200, {}, X_Served_By="somebody")
    unknown = answers_of(server, number=2)

    assert {(each.service, each.status, each.version) for each in known} == {
        ("shop", 200, "1.2.0-dev.3")
    }
    assert {each.version for each in unknown} == {None}
    assert all(each.ok and not each.injected for each in known)
    assert all(0 < each.seconds < 5 and abs(each.at - time.time()) < 60 for each in known)


@pytest.mark.parametrize(
    ("status", "body", "injected"),
    [
        (500, {"code": "fault_injected"}, True),
        (500, {"code": "internal_error"}, False),
        (500, b"no JSON", False),
        (500, [1, 2], False),
        (404, {"code": "fault_injected"}, False),
    ],
)
def test_only_an_error_that_was_asked_for_is_injected(
    server: Answering, status: int, body: object, *, injected: bool
):
    """Everything else that fails is a request lost."""
    server.says(status, body)
    seen = answers_of(server, number=1)[0]

    assert (seen.ok, seen.injected) == (False, injected)


def test_no_answer_at_all_is_recorded_too(server: Answering):
    """A connection refused is a request lost, with status 0."""
    customer = Customer("http://127.0.0.1:1", server.url)
    traffic = Traffic(customer, [CALL], per_second=100.0)
    traffic.start()
    until(lambda: traffic.answers, "an answer")
    traffic.stop()
    first = traffic.answers[0]

    assert (first.status, first.ok, first.version, first.injected) == (0, False, None, False)


def test_calls_go_out_by_their_weight(server: Answering):
    """The same mix every time, roughly three to one."""
    calls = (Call(SHOP, "GET", "/shop/often", weight=3), Call(SHOP, "GET", "/shop/seldom"))
    answers_of(server, *calls, number=200)
    counts = Counter(request.path for request in server.requests)

    assert 1.5 < counts["/shop/often"] / counts["/shop/seldom"] < 6


def test_traffic_remembers_what_its_calls_say_to_save(server: Answering):
    """A token that is fetched again and again is the newest one."""
    server.says(200, {"token": "t1"})
    customer = Customer(server.url, server.url)
    traffic = Traffic(
        customer, [Call(SHOP, "GET", "/a", save=(("token", "token"),))], per_second=100.0
    )
    traffic.start()
    until(lambda: traffic.answers, "an answer")
    traffic.stop()

    assert customer.known["token"] == "t1"


def test_traffic_does_not_wait_for_slow_answers(server: Answering):
    """Ten clients whose answers take 50 ms get more than one client could: the rate is kept."""
    server.seconds = 0.05
    began = time.monotonic()
    got = len(answers_of(server, number=40, clients=10))
    seconds = time.monotonic() - began

    assert got / seconds > 1 / server.seconds


def test_traffic_does_not_go_faster_than_its_rate(server: Answering):
    """However fast the answers are."""
    customer = Customer(server.url, server.url)
    traffic = Traffic(customer, [CALL], per_second=50.0)
    began = time.monotonic()
    traffic.start()
    until(lambda: len(traffic.answers) >= 20, "twenty answers")
    seconds = time.monotonic() - began
    traffic.stop()

    assert seconds > 19 / 50.0 - 0.02


def test_answers_are_read_from_a_number_on(server: Answering):
    """So that whoever draws need not look at all of them again."""
    customer = Customer(server.url, server.url)
    traffic = Traffic(customer, [CALL], per_second=500.0)
    traffic.start()
    until(lambda: len(traffic.answers) >= 5, "five answers")
    traffic.stop()

    assert traffic.since(3) == traffic.answers[3:]


def test_p95_is_the_time_that_one_in_twenty_exceeds():
    """Of nothing it is nothing."""
    assert p95([]) == 0.0
    assert p95([answer(0, seconds=1.0)]) == 1.0
    assert p95([answer(0, seconds=float(n)) for n in range(100)]) == 95.0


def test_a_promotion_counts_what_was_lost():
    """Anything but a success is lost."""
    answers = [answer(1), answer(2, 201), answer(3, 503), answer(4, 0, None), answer(5, 404)]

    assert promotion_of(answers, seconds=1.234) == Promotion(5, 3, 1.23)
    assert promotion_of(answers[:2], seconds=1.0).failed == 0


def test_a_bad_release_is_summed_up_from_its_first_error_to_its_last_answer():
    """Its own errors are told apart from any other; times count from the verdict."""
    answers = [
        answer(1.0),
        answer(2.0, version="1.1.0"),
        answer(3.0, 500, "1.1.0", injected=True),
        answer(4.0, 500, "1.1.0", injected=True),
        answer(4.5, 502, None),
        answer(5.0),
        answer(5.25, version="1.1.0"),
    ]

    assert bad_release_of(answers, version="1.1.0", verdict_at=5.0) == BadRelease(
        requests=7,
        injected_errors=2,
        failed_besides=1,
        fault_to_verdict_seconds=2.0,
        verdict_to_traffic_back_seconds=0.25,
        candidate_requests_at_verdict=3,
    )


def test_a_bad_release_that_nobody_met_has_no_times():
    """Zero, not an error."""
    assert bad_release_of([], version="1.1.0", verdict_at=5.0) == BadRelease(0, 0, 0, 0.0, 0.0, 0)


def test_answers_are_counted_by_who_gave_them():
    """Those of nobody are not."""
    answers = [answer(1), answer(2, version="1.1.0"), answer(3), answer(4, 0, None)]

    assert served_by_version(answers) == {"shop@1.0.0": 2, "shop@1.1.0": 1}


def report(*, failed: int = 0, besides: int = 0, touched: bool = False) -> Report:
    return Report(
        up_seconds=1.0,
        story_seconds=2.0,
        pss_mb=3.0,
        slot_mb={},
        promotion=Promotion(10, failed, 1.0),
        bad_release=BadRelease(10, 5, besides, 1.0, 0.1, 5),
        untouched={ServiceName("auth"): True, ServiceName("user"): not touched},
        served={},
    )


def test_a_demo_keeps_its_promises_only_when_nothing_was_lost_or_touched():
    """Each of the three breaks it."""
    assert report().kept
    assert not report(failed=1).kept
    assert not report(besides=1).kept
    assert not report(touched=True).kept
