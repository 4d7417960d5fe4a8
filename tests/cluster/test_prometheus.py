"""The default queries on a real Prometheus, over a real Traefik and real instances.

The stack is the local target's, on a machine without a cluster. Its pages are relabelled to what
they are in one: Traefik's provider, and the pods that the API server would have told.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3

sys.path.insert(0, str(Path(__file__).parents[2] / "platform" / "deployer" / "tests"))

from checkouts import make_checkout
from cluster.prometheus_server import serving
from polling import eventually
from shopfront import PRODUCT, Shop

from deployer.commands.up import up
from deployer.errors import InputError
from deployer.metrics import Counts, Prometheus, Reading
from deployer.model import Fence, Slot
from deployer.queries import Queries

pytestmark = pytest.mark.cluster

RELEASE = {Slot.BLUE: "aaaaaaaaaaaa", Slot.GREEN: "bbbbbbbbbbbb"}
INTERVAL = "500ms"
CONFIGURATION = """
global: {{scrape_interval: {interval}, scrape_timeout: {interval}}}
scrape_configs:
- job_name: traefik
  static_configs: [{{targets: ["{router}"]}}]
  metric_relabel_configs:
  - source_labels: [service]
    regex: (product-.+)@file
    replacement: httproute-p-gw-x-ep-y-0-ab-svc-product-dev-$1-0@kubernetesgateway
    target_label: service
- job_name: pods
  static_configs:
"""


@dataclass(frozen=True)
class Both:
    """A shop with a release in each slot and half of the traffic for each, seen by a Prometheus."""

    shop: Shop
    url: str
    candidate: Slot

    def source(self, queries: Queries | None = None) -> Prometheus:
        return Prometheus(
            PRODUCT,
            self.candidate,
            url=self.url,
            namespace="product-dev",
            release_of=RELEASE.__getitem__,
            queries=queries,
        )

    def ask(self, path: str, times: int) -> list[int]:
        router = self.shop.context.target.router
        with urllib3.PoolManager(retries=False) as pool:
            url = f"{router.internal_url}/product{path}"
            return [pool.request("GET", url).status for _ in range(times)]

    def reserve_nothing(self) -> int:
        url = f"{self.shop.context.target.router.internal_url}/product/api/v1/reservations"
        body = {"items": [{"product_id": 1_000_000, "quantity": 1}]}
        with urllib3.PoolManager(retries=False) as pool:
            return pool.request(
                "PUT", f"{url}/00000000-0000-4000-8000-{time.time_ns() % 10**12:012}", json=body
            ).status


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    root = tmp_path_factory.mktemp("prometheus")
    (root / "releases").mkdir()
    shop = Shop(make_checkout(root / "checkout", root / "releases"))
    try:
        up(shop.context)
        shop.promote_next()
        target = shop.context.target
        live = target.situation(PRODUCT).live
        assert live is not None
        target.shift(PRODUCT, live, 50, fence=Fence(1_000))
        text = CONFIGURATION.format(
            interval=INTERVAL, router=urlsplit(target.router.metrics_url).netloc
        )
        for slot in Slot:
            for instance in target.records.read(PRODUCT).slot(slot).instances:
                text += (
                    f'  - targets: ["127.0.0.1:{instance.admin_port}"]\n'
                    f"    labels: {{namespace: product-dev, pod: product-{slot}-5c9f-abcde,"
                    f" deployer_release: {RELEASE[slot]}}}\n"
                )
        with serving(root, text) as url:
            yield Both(shop, url, live)
    finally:
        shop.close()


def first_reading(source: Prometheus) -> Reading:
    """Return the first reading of what Prometheus has read of everything."""
    readings: list[Reading] = []
    assert eventually(lambda: readings.append(source.read()) or readings[-1].reachable, seconds=30)
    return readings[-1]


def test_prometheus_and_the_pages_themselves_tell_the_same(both: Both) -> None:
    """Counts, refusals, latency and outcomes of both slots, to the last request."""
    scrape = both.shop.context.target.metrics(PRODUCT, both.candidate)
    source = both.source()
    first_reading(source)
    assert eventually(lambda: source.read().candidate_healthy)  # and both pods were read
    scrape.read()
    assert source.read().candidate == Counts()
    both.ask("/api/v1/products?limit=1", 60)
    assert both.ask("/api/v1/products/999999999", 10) == [404] * 10
    assert {both.reserve_nothing() for _ in range(8)} <= {404, 409, 422}

    def same() -> bool:
        here, there = scrape.read(), source.read()
        return (
            here.candidate.requests + here.live.requests == 78
            and (here.candidate, here.live) == (there.candidate, there.live)
            and (here.latency, here.outcomes) == (there.latency, there.outcomes)
            and here.live_outcomes == there.live_outcomes
        )

    assert eventually(same, seconds=20), (scrape.read(), source.read())
    reading = source.read()
    assert min(reading.candidate.requests, reading.live.requests) > 20
    assert reading.candidate.refused + reading.live.refused >= 10
    assert sum(each.attempts for each in (*reading.outcomes, *reading.live_outcomes)) == 8


def test_health_and_limits_are_told_once_a_scrape(both: Both) -> None:
    """Looks in between see nothing: three looks are not three scrapes."""
    source = both.source()
    first_reading(source)
    told = []
    assert eventually(
        lambda: told.append(source.read()) or sum(r.candidate_healthy is True for r in told) == 3
    )

    seen = [reading for reading in told if reading.memory_share is not None]
    assert len(seen) == 3
    assert len(told) > 3
    assert all(0 < reading.memory_share < 1 and reading.cpu_share is not None for reading in seen)
    since = told[-1].instances_since
    assert since is not None
    assert 0 < time.time() - since < 600


def test_a_bad_query_is_named_with_prometheus_own_words(both: Both) -> None:
    """All are asked as one, and the one that is wrong is found."""
    source = both.source(Queries(refused="sum by (instance) (nonsense{"))

    with pytest.raises(
        InputError, match=r"`refused`: Prometheus refuses it: .*parse error"
    ) as told:
        source.read()
    assert told.value.code == "query-broken"


def test_a_reading_costs_little(both: Both) -> None:
    """One core has to do with a look every half second."""
    source = both.source()
    first_reading(source)
    began = time.monotonic()
    for _ in range(20):
        assert source.read().reachable

    assert (time.monotonic() - began) / 20 < 0.25
