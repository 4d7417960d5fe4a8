"""The scraping source where the router has several replicas, each with a page of its own."""

from __future__ import annotations

import threading
import time

import pytest
from metrics.scraped import Pages

from deployer.errors import OperationError
from deployer.metrics import Counts, Instance, Latency, Scrape, gateway_label
from deployer.model import ServiceName, Slot

ROUTE = (
    "httproute-product-dev-product-gw-platform-dev-{gateway}-ep-{gateway}-0-60aac673b18b01f626a1"
)
BACKEND = "-svc-product-dev-product-{slot}-0@kubernetesgateway"
GATEWAY = ROUTE.replace("{gateway}", "public") + BACKEND
INTERNAL = ROUTE.replace("{gateway}", "internal") + BACKEND
FIRST_LOOK = 1_000.0
LONG_AGO = 10.0


class Replicas:
    """The replicas that there are, and a source that reads them."""

    def __init__(self, server: Pages, *names: str) -> None:
        self.server = server
        self.names = list(names)
        self.at = FIRST_LOOK
        self.source = Scrape(
            ServiceName("product"),
            Slot.GREEN,
            router_urls=lambda: [f"{server.url}/{name}" for name in self.names],
            instances_of=lambda _: (),
            label_of=lambda slot: gateway_label("product-dev", f"product-{slot}"),
            now=lambda: self.at,
        )

    def route(
        self, name: str, requests: int, *, failed: int = 0, slow: int = 0, began: float = LONG_AGO
    ) -> None:
        """Write a replica's page."""
        numbers = (requests, failed, slow, 0)
        self.server.route(f"/{name}", green=numbers, label=GATEWAY, began=began)


def test_the_pages_of_all_replicas_are_added_up(server: Pages) -> None:
    """By the name that the Gateway's provider has for a slot."""
    router = Replicas(server, "a", "b")
    router.route("a", 100)
    router.route("b", 7_000, failed=7_000)
    router.source.read()
    router.route("a", 110, failed=2)
    router.route("b", 7_005, failed=7_001, slow=1)
    reading = router.source.read()

    assert (reading.reachable, reading.candidate) == (True, Counts(15, failed=3, slow=1))
    assert reading.latency == Latency((1.0,), (14, 1))


def test_a_route_that_is_dropped_does_not_count_the_others_again(server: Pages) -> None:
    """Traefik has a series a route; when one goes, what the other has counted is no news."""
    router = Replicas(server, "a")

    def route(public: int, internal: int | None) -> Counts:
        router.route("a", public)
        text = server.pages["/a"][1]
        if internal is not None:
            server.route("/a", green=(internal, 0, 0, 0), label=INTERNAL, began=LONG_AGO)
            text += "\n" + server.pages["/a"][1]
        server.pages["/a"] = (200, text)
        return router.source.read().candidate

    counted = [route(5_000, 900), route(5_010, None), route(5_020, 3), route(5_020, 4)]

    assert [each.requests for each in counted] == [0, 10, 23, 24]


@pytest.mark.parametrize(
    "name",
    [
        "product-dev-product-green-http-80",
        "product-dev-product-green-80",
        "httproute-x-gw-y-ep-z-1-ab12-svc-product-dev-product-green-1",
    ],
)
def test_the_names_of_all_versions_are_known(server: Pages, name: str) -> None:
    """Another service whose name ends the same is not meant."""
    router = Replicas(server, "a")
    label = name.replace("green", "{slot}") + "@kubernetesgateway"
    for requests in (1, 8):
        server.route("/a", green=(requests, 0, 0, 0), label=label)
        own = server.pages["/a"][1]
        server.route("/a", green=(7 * requests, 0, 0, 0), label=f"other-{label}")
        server.pages["/a"] = (200, f"{own}\n{server.pages['/a'][1]}")
        reading = router.source.read()

    expected = 7 if name.startswith("product") else 56  # what follows -svc- is all of a name
    assert reading.candidate.requests == expected


def test_a_replica_that_restarts_does_not_count_the_others_again(server: Pages) -> None:
    """Added up before they are subtracted, both would count as begun again: 10,003 requests."""
    router = Replicas(server, "a", "b")
    router.route("a", 10_000, failed=500)
    router.route("b", 10_000, failed=500)
    router.source.read()
    router.route("b", 3, failed=1, began=1_001.0)

    assert router.source.read().candidate == Counts(3, failed=1)


def test_a_restart_is_seen_by_its_time_if_more_was_counted_since(server: Pages) -> None:
    """Its counters have not fallen, and all of it is new."""
    router = Replicas(server, "a")
    router.route("a", 10)
    router.source.read()
    router.route("a", 25, began=1_001.0)

    assert router.source.read().candidate == Counts(25)


@pytest.mark.parametrize(("began", "counted"), [(1_003.0, 40), (LONG_AGO, 0)])
def test_a_replica_that_appears_counts_from_when_it_began(
    server: Pages, began: float, counted: int
) -> None:
    """A new one from its first request on; an old one has somebody else's past on its page."""
    router = Replicas(server, "a")
    router.route("a", 100)
    router.source.read()
    router.at = 1_005.0
    router.names.append("late")
    router.route("late", 40, began=began)
    first = router.source.read()
    router.route("late", 45, began=began)

    assert first.candidate == Counts(counted)
    assert router.source.read().candidate == Counts(counted + 5)


def test_a_replica_that_is_replaced_keeps_what_it_had_counted(server: Pages) -> None:
    """The totals neither fall nor jump."""
    router = Replicas(server, "a", "old")
    router.route("a", 100)
    router.route("old", 100)
    router.source.read()
    router.route("old", 130)
    before = router.source.read()
    router.names[:] = ["a", "new"]
    router.route("new", 2, began=1_001.0)

    assert before.candidate == Counts(30)
    assert router.source.read().candidate == Counts(32)


def test_one_replica_that_does_not_answer_makes_blind(server: Pages) -> None:
    """What it has counted may be what matters; the others' counts wait for it."""
    router = Replicas(server, "a", "b")
    router.route("a", 0)
    router.route("b", 0)
    router.source.read()
    page = server.pages.pop("/b")
    router.route("a", 10)
    dark = router.source.read()
    server.pages["/b"] = page

    assert (dark.reachable, dark.candidate) == (False, Counts())
    assert router.source.read().candidate == Counts(10)


def test_a_router_without_replicas_is_blind(server: Pages) -> None:
    """Nobody routes, so nobody counts."""
    assert Replicas(server).source.read().reachable is False


def test_lists_that_hang_are_blind_within_two_seconds_and_asked_once(server: Pages) -> None:
    """The API server is asked again and again for a minute: nobody waits for that, nor adds to it."""
    router = Replicas(server, "a")
    router.route("a", 0)
    done, asked = threading.Event(), []

    def hangs(slot: Slot) -> tuple[Instance, ...]:
        asked.append(slot)
        done.wait()
        return ()

    router.source._instances_of = hangs
    began = time.monotonic()
    dark = [router.source.read().reachable for _ in range(2)]
    took = time.monotonic() - began
    done.set()

    assert dark == [False, False]
    assert took < 2 * 1.5
    assert sorted(asked) == [Slot.BLUE, Slot.GREEN]


def test_only_an_unreachable_api_server_is_blindness(server: Pages) -> None:
    """Another refusal will not pass by itself."""
    router = Replicas(server, "a")
    router.route("a", 0)

    def fails(code: str) -> None:
        def refuse() -> list[str]:
            raise OperationError(code, "the API server says no", hint="ask it")

        router.source._router_urls = refuse

    fails("cluster-unreachable")
    assert router.source.read().reachable is False
    fails("forbidden")
    with pytest.raises(OperationError, match="says no"):
        router.source.read()
