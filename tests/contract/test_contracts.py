"""The contracts that are kept: who has one, with whom, and who has to hold it."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections import defaultdict
from contextlib import contextmanager

import httpx
import pytest
from contract.consumer import SERVICES, contract, play, receive
from contract.provider import Provider, contracts, expected
from contract.releases import released
from pact.error import MismatchesError, PactVerificationError
from werkzeug.wrappers import Response

pytestmark = pytest.mark.contract

KEPT = sorted(SERVICES.glob("*/contracts/*.json"))


def test_every_service_keeps_a_contract_with_each_that_it_needs():
    """And with no other: what it needs it says once for who deploys it, and once for whom it calls."""
    needs = {}
    for path in SERVICES.glob("*/pyproject.toml"):
        project = tomllib.loads(path.read_text(encoding="utf-8"))
        needs[path.parent.name] = set(project["tool"]["deployer"]["needs"])
    kept = defaultdict(set)
    for path in KEPT:
        consumer, provider = path.stem.split("-")
        kept[consumer].add(provider)

    assert {name: kept[name] for name in needs} == needs


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_contract_names_both_sides_and_its_provider_holds_it(path):
    """By the file's name, the file itself, and a test of the provider's."""
    read = json.loads(path.read_text(encoding="utf-8"))
    consumer, provider = read["consumer"]["name"], read["provider"]["name"]

    assert path == SERVICES / consumer / "contracts" / f"{consumer}-{provider}.json"
    assert path in contracts(provider)
    assert (SERVICES / provider / "tests" / "test_consumers.py").is_file()


def thing(pact):
    """A small expectation."""
    pact.upon_receiving("a thing").given("things").with_request(
        "GET", "/shop/things"
    ).will_respond_with(200)
    ask = yield

    ask("/shop/things")


def rule(pact):
    """A small expectation of a message."""
    pact.upon_receiving("a rule", "Async").with_body({"most": 7}, "application/json")
    is_understood = yield

    assert is_understood


@contextmanager
def asking(url):
    yield lambda path: httpx.get(f"{url}{path}")


@contextmanager
def asking_for_something_else(url):
    yield lambda path: httpx.get(f"{url}{path}/else")


@contextmanager
def asking_for_nothing(_url):
    yield lambda _path: None


def test_a_consumer_that_asks_for_what_it_says_passes():
    play("customer", "shop", thing, asking)
    receive("customer", "shop", rule, lambda said: said["most"] == 7)


@pytest.mark.parametrize("connect", [asking_for_something_else, asking_for_nothing])
def test_a_consumer_that_asks_for_anything_else_is_found(connect):
    """What its code does, and not what its test says, is what counts."""
    with pytest.raises(MismatchesError):
        play("customer", "shop", thing, connect)


def test_a_consumer_that_cannot_use_a_message_is_found():
    with pytest.raises(PactVerificationError):
        receive("customer", "shop", rule, lambda said: said["most"] == 8)


@pytest.fixture
def shop(tmp_path):
    """A repository of a customer, whose contract is written, and its repository's `git`."""
    (tmp_path / "services/customer").mkdir(parents=True)

    def git(*arguments):
        names = ("-c", "user.name=a", "-c", "user.email=a@example.test")
        command = ("git", "-C", str(tmp_path), *names, *arguments)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    contract("customer", "shop", [thing], write=True, services=tmp_path / "services")
    return tmp_path / "services", git


def hold(services, answered):
    """What a shop breaks that answers so."""

    def app(environ, start_response):
        return Response(status=answered)(environ, start_response)

    kept = services / "customer/contracts/customer-shop.json"
    return Provider("shop", {"things": lambda: None}).broken(app, kept)


def test_a_provider_is_told_what_it_breaks(shop):
    """By the words of the expectation."""
    assert hold(shop[0], 200) == {}
    assert hold(shop[0], 404).keys() == hold(shop[0], 500).keys() == {"a thing"}


def test_a_state_that_cannot_be_set_up_is_no_answer_of_the_provider(shop):
    """One that it does not know, as when a consumer expects something new, or one that fails."""
    kept = shop[0] / "customer/contracts/customer-shop.json"

    with pytest.raises(KeyError, match="things"):
        Provider("shop", {}).broken(Response(), kept)
    with pytest.raises(ZeroDivisionError):
        Provider("shop", {"things": lambda: 1 / 0}).broken(Response(), kept)


def test_the_contract_of_the_newest_release_is_found_in_the_history(shop, tmp_path):
    """As it was then: without those of later, and without any before there was one."""
    services, git = shop
    git("commit", "--quiet", "--allow-empty", "-m", "before there were contracts")
    before = git("rev-parse", "HEAD")
    git("add", ".")
    git("commit", "--quiet", "-m", "with one")
    with_one = git("rev-parse", "HEAD")
    contract("customer", "shop", [], write=True, services=services)

    def newest(*commits):
        rows = (
            f'[[release]]\nversion = "1.{n}.0"\ncommit = "{commit}"\n'
            for n, commit in enumerate(commits)
        )
        (services / "customer/releases.toml").write_text("".join(rows))
        return released("shop", tmp_path, services=services)

    assert newest() == newest(before) == []
    assert [path.name for path in newest(before, with_one)] == ["customer-1.1.0-shop.json"]
    assert expected(newest(before, with_one)[0]) == {"a thing"}
    with pytest.raises(LookupError, match="unshallow"):
        newest("0" * 40)
