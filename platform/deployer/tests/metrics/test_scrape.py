"""The scraping source against real small servers: what it counts, and what it says of the dead."""

from __future__ import annotations

import socket
import time

import pytest
from metrics.scraped import Pages

from deployer.metrics import BucketMissingError, Counts, Instance, Latency, Outcome, Scrape
from deployer.model import ServiceName, Slot


def scrape(
    server: Pages, candidate: list[Instance] | None = None, live: list[Instance] | None = None
) -> Scrape:
    instances = {Slot.GREEN: candidate or [], Slot.BLUE: live or []}
    return Scrape(
        ServiceName("product"),
        Slot.GREEN,
        router_urls=lambda: [f"{server.url}/metrics"],
        instances_of=lambda slot: instances[slot],
        now=lambda: 1_000.0,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_reading_has_the_counts_of_both_slots(server: Pages) -> None:
    """The candidate's and live's, since the first page that was read."""
    server.route(blue=(1_000, 1, 2, 3), green=(50, 40, 30, 10))
    source = scrape(server)
    source.read()
    server.route(blue=(1_090, 2, 4, 6), green=(60, 44, 33, 12))
    reading = source.read()

    assert (reading.at, reading.reachable) == (1_000.0, True)
    assert reading.live == Counts(90, failed=1, slow=2, refused=3)
    assert reading.candidate == Counts(10, failed=4, slow=3, refused=2)


def test_what_the_slot_served_before_is_not_the_candidates(server: Pages) -> None:
    """The failures of an earlier release in the same slot are on the first page already."""
    server.route(blue=(0, 0, 0, 0), green=(500, 400, 0, 0))

    assert scrape(server).read().candidate == Counts()


def test_an_unreachable_router_says_so_and_loses_nothing(server: Pages) -> None:
    """The totals stay where they were, and the next page has what came in the dark."""
    source = scrape(server)
    source.read()
    page = server.pages.pop("/metrics")
    dark = source.read()
    server.pages["/metrics"] = page
    server.route(blue=(0, 0, 0, 0), green=(30, 3, 0, 0))
    light = source.read()

    assert (dark.reachable, dark.candidate) == (False, Counts())
    assert (light.reachable, light.candidate) == (True, Counts(30, failed=3))


def test_a_router_that_is_gone_is_unreachable(server: Pages) -> None:
    """Nobody listens: that is no exception, it is a reading."""
    source = Scrape(
        ServiceName("product"),
        Slot.GREEN,
        router_urls=lambda: [f"http://127.0.0.1:{free_port()}/metrics"],
        instances_of=lambda _: [],
    )
    reading = source.read()

    assert reading.reachable is False
    assert abs(reading.at - time.time()) < 5


def test_a_router_that_was_unreachable_at_first_begins_when_it_answers(server: Pages) -> None:
    """The first page is where counting begins, whenever it comes."""
    page = server.pages.pop("/metrics")
    source = scrape(server)
    source.read()
    server.pages["/metrics"] = page
    server.route(blue=(0, 0, 0, 0), green=(500, 400, 0, 0))

    assert source.read().candidate == Counts()


def test_a_router_that_restarted_goes_on_counting(server: Pages) -> None:
    """Its counters begin at zero; the totals do not fall."""
    source = scrape(server)
    server.route(blue=(0, 0, 0, 0), green=(100, 1, 0, 0))
    source.read()
    server.route(blue=(0, 0, 0, 0), green=(150, 2, 0, 0))
    before = source.read()
    server.route(blue=(0, 0, 0, 0), green=(5, 1, 0, 0))
    after = source.read()

    assert before.candidate == Counts(50, failed=1)
    assert after.candidate == Counts(55, failed=2)


def test_the_worst_instance_speaks_for_the_candidate(server: Pages) -> None:
    """Memory and CPU are the highest of all instances; live's do not count."""
    a = server.tell("a", memory=0.2, cpu=0.9)
    b = server.tell("b", memory=0.7, cpu=0.1)
    live = server.tell("live", memory=0.99, cpu=0.99)
    reading = scrape(server, [a, b], [live]).read()

    assert (reading.memory_share, reading.cpu_share) == (0.7, 0.9)
    assert reading.candidate_healthy is True


def test_one_unhealthy_instance_makes_the_candidate_unhealthy(server: Pages) -> None:
    """A 503 from /health, while its metrics still answer."""
    instances = [server.tell("a"), server.tell("b", healthy=False, memory=0.4)]
    reading = scrape(server, instances).read()

    assert (reading.candidate_healthy, reading.memory_share) == (False, 0.4)


def test_an_unhealthy_live_instance_does_not_make_the_candidate_unhealthy(server: Pages) -> None:
    """Only the candidate's health counts."""
    reading = scrape(server, [server.tell("a")], [server.tell("b", healthy=False)]).read()

    assert reading.candidate_healthy is True


def test_a_dead_instance_is_unhealthy(server: Pages) -> None:
    """Its port is closed: nothing is known of its memory."""
    gone = Instance(f"http://127.0.0.1:{free_port()}", since=0.0)
    reading = scrape(server, [gone]).read()

    assert (reading.candidate_healthy, reading.memory_share) == (False, None)
    assert reading.reachable is True


def test_hung_instances_are_unhealthy_within_two_seconds(server: Pages) -> None:
    """Three that accept and never answer cost one second, not six."""
    with socket.socket() as hung:
        hung.bind(("127.0.0.1", 0))
        hung.listen(16)
        instance = Instance(f"http://127.0.0.1:{hung.getsockname()[1]}", since=0.0)
        began = time.monotonic()
        reading = scrape(server, [instance] * 3).read()

    assert reading.candidate_healthy is False
    assert time.monotonic() - began < 2


def test_no_instances_are_neither_healthy_nor_unhealthy(server: Pages) -> None:
    """Nothing was seen, so nothing is said."""
    reading = scrape(server).read()

    assert (reading.candidate_healthy, reading.instances_since) == (None, None)


def test_the_youngest_instance_tells_the_age(server: Pages) -> None:
    """Warm-up is over when it is over for all."""
    old, young = server.tell("a"), Instance(server.tell("b").admin_url, since=170.0)

    assert scrape(server, [old, young]).read().instances_since == 170.0


def test_a_slow_request_in_flight_counts_once(server: Pages) -> None:
    """It is slow before it is finished, and no second time when the router has it."""
    candidate = [server.tell("a", slow=0)]
    source = scrape(server, candidate)
    readings = [source.read()]
    server.tell("a", slow=1)  # in flight for longer than 1 s
    readings.append(source.read())
    server.tell("a", slow=0)  # gone from the instance, not yet on the router's page
    readings.append(source.read())
    server.route(blue=(0, 0, 0, 0), green=(1, 0, 1, 0))
    readings.append(source.read())

    assert [(r.candidate.requests, r.candidate.slow) for r in readings] == [
        (0, 0),
        (1, 1),
        (1, 1),
        (1, 1),
    ]


def test_slow_requests_in_flight_count_on_live_too(server: Pages) -> None:
    """Or the candidate would look slower than a live slot that is just as slow."""
    source = scrape(server, [server.tell("a", slow=2)], [server.tell("b", slow=3)])
    reading = source.read()

    assert (reading.candidate.slow, reading.live.slow) == (2, 3)


def test_an_instance_that_hangs_keeps_its_slow_requests(server: Pages) -> None:
    """It does not tell any more what is in flight, and nothing of it is finished."""
    source = scrape(server, [server.tell("a", slow=4)])
    source.read()
    server.pages.pop("/a/metrics")
    server.route(blue=(0, 0, 0, 0), green=(10, 0, 0, 0))

    assert source.read().candidate == Counts(14, slow=4)


def test_a_router_without_the_bucket_is_a_mistake_to_mend(server: Pages) -> None:
    """It is not taken for an outage that may pass."""
    service = 'service="product-green@file"'
    page = f"traefik_service_request_duration_seconds_count{{{service}}} 5"
    server.pages["/metrics"] = (200, page)

    with pytest.raises(BucketMissingError):
        scrape(server).read()


def test_the_candidates_latency_is_what_came_since_the_first_page(server: Pages) -> None:
    """Within each bucket, over a router that restarts; live's is not read."""
    source = scrape(server)
    readings = []
    for green in ((100, 0, 4, 0), (110, 0, 6, 0), (3, 0, 1, 0)):
        server.route(blue=(900, 0, 900, 0), green=green)
        readings.append(source.read().latency)

    assert readings[1:] == [Latency((1.0,), (8, 2)), Latency((1.0,), (10, 3))]


def test_outcomes_are_read_of_both_slots(server: Pages) -> None:
    """Summed over the instances of each, since the first reading."""
    for orders in ((10, 9), (14, 12)):
        candidate = [server.tell("a", orders=orders), server.tell("b", orders=orders)]
        live = [server.tell("c", orders=(10 * orders[0], 10 * orders[1]))]
        if orders == (10, 9):
            source = scrape(server, candidate, live)
            source.read()
    reading = source.read()

    assert reading.outcomes == (Outcome("orders", 8, 6),)
    assert reading.live_outcomes == (Outcome("orders", 40, 30),)


def test_a_slot_that_exports_no_pair_has_no_outcome(server: Pages) -> None:
    """Product 1.0.0 counts none: that is not seen, and not none of none."""
    source = scrape(server, [server.tell("a", orders=(5, 5))], [server.tell("b")])
    source.read()
    reading = source.read()

    assert (reading.outcomes, reading.live_outcomes) == ((Outcome("orders"),), ())


def test_outcomes_wait_while_the_router_is_unreachable(server: Pages) -> None:
    """Such a reading is not judged, so the next one has to have them."""
    candidate = [server.tell("a", orders=(0, 0))]
    source = scrape(server, candidate)
    source.read()
    page = server.pages.pop("/metrics")
    server.tell("a", orders=(3, 2))
    dark = source.read()
    server.pages["/metrics"] = page
    light = source.read()

    assert (dark.outcomes, light.outcomes) == ((Outcome("orders"),), (Outcome("orders", 3, 2),))
