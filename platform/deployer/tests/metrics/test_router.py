"""The router's page: the right lines of the right service, and quickly."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from deployer.metrics import BucketMissingError, Counts
from deployer.metrics.router import counts_of

BUCKETS = ("0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf")


def page_of(samples: dict[tuple[str, str, str], tuple[int, int]], *, one: str = "1") -> str:
    """Write a page as Traefik does; a sample is (service, code, method): (requests, slow)."""
    lines = [
        "# HELP traefik_service_requests_total How many.",
        "process_start_time_seconds 1.7e+09",
    ]
    for (service, code, method), (requests, slow) in samples.items():
        labels = f'code="{code}",method="{method}",protocol="http",service="{service}@file"'
        lines += [
            f"traefik_service_requests_total{{{labels}}} {requests}",
            f"traefik_service_requests_bytes_total{{{labels}}} 123",
            f"traefik_service_request_duration_seconds_sum{{{labels}}} 1.5",
            f"traefik_service_request_duration_seconds_count{{{labels}}} {requests}",
        ]
        lines += [
            f'traefik_service_request_duration_seconds_bucket{{{labels},le="{le}"}} '
            f"{requests - slow if le in ('1', one) else requests}"
            for le in (one if bucket == "1" else bucket for bucket in BUCKETS)
        ]
    return "\n".join(lines) + "\n"


def test_codes_and_slow_requests_are_told_apart() -> None:
    """5xx failed, 4xx were refused, and those outside of the bucket at 1 s were slow."""
    page = page_of(
        {
            ("product-blue", "200", "GET"): (100, 4),
            ("product-blue", "201", "POST"): (10, 0),
            ("product-blue", "404", "GET"): (7, 1),
            ("product-blue", "502", "GET"): (5, 2),
            ("product-blue", "500", "POST"): (1, 0),
        }
    )

    assert counts_of(page, "product-blue") == Counts(123, failed=6, slow=7, refused=7)


def test_a_caller_that_hung_up_is_refused_and_not_failed() -> None:
    """499 is nobody's answer; when it came late, it was slow."""
    page = page_of({("product-blue", "499", "GET"): (3, 3)})

    assert counts_of(page, "product-blue") == Counts(3, failed=0, slow=3, refused=3)


def test_no_answer_at_all_failed() -> None:
    """A request without a code is one that nobody answered."""
    page = page_of({("product-blue", "0", "GET"): (3, 0), ("product-blue", "", "GET"): (2, 0)})

    assert counts_of(page, "product-blue") == Counts(5, failed=5)


def test_other_services_and_slots_do_not_count() -> None:
    """Not the other slot, nor a service whose name begins or ends the same."""
    names = ("product-green", "product-blue-x", "my-product-blue", "order-blue")
    page = page_of({(name, "500", "GET"): (9, 9) for name in names})

    assert counts_of(page, "product-blue") == Counts()


@pytest.mark.parametrize("one", ["1", "1.0"])
def test_the_bucket_at_one_second_is_found_however_it_is_written(one: str) -> None:
    """Traefik's page says 1, other writers say 1.0."""
    page = page_of({("product-blue", "200", "GET"): (10, 4)}, one=one)

    assert counts_of(page, "product-blue").slow == 4


def test_a_missing_bucket_is_an_error() -> None:
    """Without a bucket at 1 s every request would look slow, or none."""
    page = page_of({("product-blue", "200", "GET"): (10, 4)}, one="1.2")

    with pytest.raises(BucketMissingError, match=r"product-blue without a bucket at 1\.0 s"):
        counts_of(page, "product-blue")


def test_a_page_without_the_service_counts_nothing() -> None:
    """The router has no line for a service that it never sent a request to."""
    assert counts_of("", "product-blue") == Counts()


def test_large_numbers_come_in_scientific_notation() -> None:
    """Go writes a million as 1e+06."""
    line = 'traefik_service_requests_total{code="200",service="product-blue@file"} 1.234567e+06'

    assert counts_of(line, "product-blue").requests == 1_234_567


samples = st.dictionaries(
    st.tuples(
        st.sampled_from(["product-blue", "product-green"]),
        st.sampled_from(["200", "302", "404", "499", "500", "503"]),
        st.sampled_from(["GET", "POST"]),
    ),
    st.integers(0, 10**6).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
)


@given(samples)
def test_the_page_is_read_as_the_prometheus_parser_reads_it(
    given_samples: dict[tuple[str, str, str], tuple[int, int]],
) -> None:
    """One regular expression, the same numbers."""
    page = page_of(given_samples)
    expected = {"requests": 0, "failed": 0, "refused": 0, "slow": 0}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.labels.get("service") != "product-blue@file":
                continue
            code, value = int(sample.labels["code"]), int(sample.value)
            if sample.name == "traefik_service_requests_total":
                expected["requests"] += value
                expected["failed"] += value * (code >= 500)
                expected["refused"] += value * (400 <= code < 500)
            if sample.name == "traefik_service_request_duration_seconds_count":
                expected["slow"] += value
            if sample.labels.get("le") == "1":
                expected["slow"] -= value

    assert counts_of(page, "product-blue") == Counts(**expected)


def test_a_large_page_is_read_in_ten_milliseconds() -> None:
    """Eight services, three codes, two methods, eight buckets: a look a second has time for it."""
    names = [f"{name}-{slot}" for name in ("a", "b", "c", "product") for slot in ("blue", "green")]
    keys = [(n, code, m) for n in names for code in ("200", "404", "500") for m in ("GET", "PUT")]
    page = page_of(dict.fromkeys(keys, (10, 1)))

    assert min(_seconds(page) for _ in range(5)) < 0.010


def _seconds(page: str) -> float:
    began = time.thread_time()
    counts_of(page, "product-blue")
    counts_of(page, "product-green")
    return time.thread_time() - began
