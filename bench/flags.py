# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "growthbook==4.0.0",
#     "openfeature-provider-flagd==0.6.1",
#     "platform-kit",
#     "unleashclient==6.9.1",
# ]
#
# [tool.uv.sources]
# platform-kit = { path = "../platform/kit", editable = true }
# ///
"""What a decision of a feature flag costs, and who keeps it, by the kit and by others, in one run.

`uv run bench/flags.py` installs the others beside the kit, from the header above. One boolean flag that is on for
10 %, asked for one customer after the other, each with a context that was made before; the rounds take turns, and the
time is that of the thread. Then the same 20,000 customers at 10, 25 and 50 %: how many lose the flag on the way, and
how many have two flags of 10 %. Prints one JSON object; times in microseconds, the loop included.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

from growthbook import GrowthBook
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider
from UnleashClient import UnleashClient
from UnleashClient.cache import FileCache
from UnleashClient.utils import InstanceAllowType

from platform_kit.flags import BooleanFlag, FlagClient, FlagProvider, FlagSet
from platform_kit.flags.definition import parse_flags

CUSTOMERS = [f"customer-{number}" for number in range(20_000)]
SHARES = (10, 25, 50)
ONE, OTHER = "new-listing", "new-prices"
GOAL_TYPED, GOAL_CLIENT, GOAL_OVERLAP = 1.0, 12.0, (0.008, 0.012)
DISTRIBUTIONS = (
    "platform-kit",
    "openfeature-sdk",
    "openfeature-provider-flagd",
    "UnleashClient",
    "growthbook",
)
NOWHERE = "http://127.0.0.1:9/api"  # the discard port: nobody is asked

Shares = Mapping[str, int]
# What is asked for a customer, as `Contender.context` made one.
Ask = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to decide: with flags that are on for shares in percent, return how to ask each of them."""

    opened: Callable[[Shares], AbstractContextManager[Mapping[str, Ask]]]
    context: Callable[[str], object]
    spreads: bool = True


def in_flagds_form(shares: Shares) -> str:
    """Return flagd's file, which is the kit's too."""
    flags = {
        key: {
            "state": "ENABLED",
            "variants": {"on": True, "off": False},
            "defaultVariant": "off",
            "targeting": {"fractional": [["on", share], ["off", 100 - share]]},
        }
        for key, share in shares.items()
    }
    return json.dumps({"flags": flags})


def declared(shares: Shares) -> list[BooleanFlag]:
    """Return the kit's flags, defined."""
    flags = [
        BooleanFlag(
            key, default=False, owner="us", expires=date.max, description="A measurement's."
        )
        for key in shares
    ]
    FlagSet("bench", *flags).take(parse_flags(in_flagds_form(shares)))
    return flags


@contextmanager
def typed(shares: Shares) -> Iterator[Mapping[str, Ask]]:
    """Ask the kit's flags as a service does; decisions are counted."""
    yield {flag.key: flag.on for flag in declared(shares)}


@contextmanager
def through_openfeature(
    provider: Any,  # noqa: ANN401
    shares: Shares,
    get_client: Callable[[str], OpenFeatureClient] = api.get_client,
) -> Iterator[Mapping[str, Ask]]:
    """Ask a provider through OpenFeature's client."""
    api.set_provider_and_wait(provider, "bench")
    client = get_client("bench")

    def asking(key: str) -> Ask:
        return lambda context: client.get_boolean_value(key, False, context)  # noqa: FBT003

    yield {key: asking(key) for key in shares}
    api.shutdown()


@contextmanager
def by_client(shares: Shares) -> Iterator[Mapping[str, Ask]]:
    """Ask the kit's flags through OpenFeature's client as the kit has it."""
    provider = FlagProvider(FlagSet("bench", *declared(shares)))
    with through_openfeature(provider, shares, FlagClient) as asks:
        yield asks


@contextmanager
def by_provider(shares: Shares) -> Iterator[Mapping[str, Ask]]:
    """Ask the kit's flags through the client that OpenFeature gives."""
    with through_openfeature(FlagProvider(FlagSet("bench", *declared(shares))), shares) as asks:
        yield asks


@contextmanager
def in_memory(shares: Shares) -> Iterator[Mapping[str, Ask]]:
    """Ask OpenFeature's own provider: it knows no shares, so this is what the client costs by itself."""
    flags = {key: InMemoryFlag("off", {"on": True, "off": False}) for key in shares}
    with through_openfeature(InMemoryProvider(flags), shares) as asks:
        yield asks


@contextmanager
def flagd(shares: Shares) -> Iterator[Mapping[str, Ask]]:
    """Ask flagd's provider, which reads the file itself."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flags.json"
        path.write_text(in_flagds_form(shares))
        provider = FlagdProvider(
            resolver_type=ResolverType.FILE, offline_flag_source_path=str(path)
        )
        with through_openfeature(provider, shares) as asks:
            yield asks


@contextmanager
def unleash(shares: Shares) -> Iterator[Mapping[str, Ask]]:
    """Ask Unleash's client with a bootstrapped cache and without its server."""
    features = [
        {
            "name": key,
            "type": "release",
            "enabled": True,
            "strategies": [{"name": "flexibleRollout", "parameters": parameters}],
        }
        for key, share in shares.items()
        for parameters in [{"rollout": str(share), "stickiness": "userId", "groupId": key}]
    ]
    with tempfile.TemporaryDirectory() as folder:
        cache = FileCache("bench", folder)
        cache.bootstrap_from_dict({"version": 1, "features": features})
        client = UnleashClient(
            NOWHERE,
            "bench",
            cache=cache,
            disable_metrics=True,
            disable_registration=True,
            multiple_instance_mode=InstanceAllowType.SILENTLY_ALLOW,  # one a round
        )
        client.initialize_client(fetch_toggles=False)

        def asking(key: str) -> Ask:
            return lambda context: bool(client.is_enabled(key, context))

        yield {key: asking(key) for key in shares}
        client.destroy()


@contextmanager
def growthbook(shares: Shares) -> Iterator[Mapping[str, Ask]]:
    """Ask GrowthBook's client; who asks is set before each question."""
    features = {
        key: {
            "defaultValue": False,
            "rules": [{"force": True, "coverage": share / 100, "hashAttribute": "id"}],
        }
        for key, share in shares.items()
    }
    client = GrowthBook(features=features)

    def asking(key: str) -> Ask:
        def ask(context: dict[str, object]) -> bool:
            client.set_attributes(context)
            return bool(client.is_on(key))

        return ask

    yield {key: asking(key) for key in shares}
    client.destroy()


CONTENDERS = {
    "typed": Contender(typed, str),
    "client": Contender(by_client, EvaluationContext),
    "provider": Contender(by_provider, EvaluationContext),
    "openfeature_in_memory": Contender(in_memory, EvaluationContext, spreads=False),
    "flagd_file": Contender(flagd, EvaluationContext),
    "unleash": Contender(unleash, lambda customer: {"userId": customer}),
    "growthbook": Contender(growthbook, lambda customer: {"id": customer}),
}


def timed(rounds: int, questions: int) -> dict[str, list[float]]:
    """Return the microseconds of a decision of each contender, a figure a round."""
    took: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name, contender in CONTENDERS.items():
            contexts = [contender.context(customer) for customer in CUSTOMERS[:questions]]
            with contender.opened({ONE: SHARES[0]}) as asks:
                took[name].append(seconds(asks[ONE], contexts) / questions * 1e6)
    return took


def seconds(ask: Ask, contexts: list[object]) -> float:
    """Return how long this thread takes to ask for all of them, the first hundred before that."""
    for context in contexts[:100]:
        ask(context)
    began = time.thread_time()
    for context in contexts:
        ask(context)
    return time.thread_time() - began


def having(contender: Contender, shares: Shares) -> list[set[str]]:
    """Return the customers who have each flag."""
    contexts = [(customer, contender.context(customer)) for customer in CUSTOMERS]
    with contender.opened(shares) as asks:
        return [
            {customer for customer, context in contexts if ask(context)} for ask in asks.values()
        ]


def spread(contender: Contender) -> dict[str, object]:
    """Return who loses a flag while its share grows, and who has two flags."""
    grown = [having(contender, {ONE: share})[0] for share in SHARES]
    one, other = having(contender, {ONE: SHARES[0], OTHER: SHARES[0]})
    return {
        "shares": [round(len(each) / len(CUSTOMERS), 4) for each in grown],
        "lost": sum(len(few - more) for few, more in pairwise(grown)),
        "overlap": round(len(one & other) / len(CUSTOMERS), 4),
    }


def holds(figures: Mapping[str, Any]) -> bool:
    """Return whether the kit keeps what it promised."""
    own, client = figures["typed"], figures["client"]
    low, high = GOAL_OVERLAP
    quick = own["min_us"] <= GOAL_TYPED and client["min_us"] <= GOAL_CLIENT
    return bool(quick and own["lost"] == 0 and low <= own["overlap"] <= high)


def main() -> None:
    """Measure all of them, in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--questions", type=int, default=len(CUSTOMERS))
    asked = parser.parse_args()
    logging.disable(
        logging.CRITICAL
    )  # flagd's and Unleash's clients tell of servers that are not there
    took = timed(asked.rounds, asked.questions)
    figures: dict[str, Any] = {
        name: {
            "min_us": round(min(took[name]), 2),
            "median_us": round(statistics.median(took[name]), 2),
            **(spread(contender) if contender.spreads else {}),
        }
        for name, contender in CONTENDERS.items()
    }
    told = {
        "customers": len(CUSTOMERS),
        "rounds": asked.rounds,
        **figures,
        "goals": {
            "typed_us": GOAL_TYPED,
            "client_us": GOAL_CLIENT,
            "lost": 0,
            "overlap": GOAL_OVERLAP,
        },
        "holds": holds(figures),
        "versions": {name: metadata.version(name) for name in DISTRIBUTIONS},
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
