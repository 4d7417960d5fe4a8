"""Stories: read from the services, told in an order, played against whoever answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from answering import Answering

from deployer.commands.demo.story import Call, Customer, stories
from deployer.errors import InputError, OperationError
from deployer.model import ServiceName
from deployer.workspace import Workspace

SHOP = ServiceName("shop")
REPOSITORY = Path(__file__).parents[4]


def workspace(root: Path, **told: str) -> Workspace:
    (root / "environments").mkdir(exist_ok=True)
    for service, text in told.items():
        folder = root / "services" / service
        folder.mkdir(parents=True)
        (folder / "pyproject.toml").write_text('[project]\nversion = "1.0.0"\n')
        if text:
            (folder / "story.toml").write_text(text)
    return Workspace(root)


@pytest.fixture
def server() -> Iterator[Answering]:
    with Answering() as answering:
        yield answering


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=5.0) as pool:
        yield pool


def customer(server: Answering) -> Customer:
    return Customer(server.url, server.url + "/inner")


def test_a_story_is_read_with_all_that_a_call_can_say(tmp_path: Path):
    """Every key, and what it is when it is not written."""
    told = workspace(
        tmp_path,
        shop="""
needs = ["bank"]
[[step]]
says = "stocks the shop"
call = "POST /shop/api/v1/stock"
via = "internal"
json = { name = "tea" }
headers = { Authorization = "Bearer {token}" }
expect = 201
save = { tea = "id" }
[[traffic]]
call = "GET /shop/api/v1/products"
weight = 3
""",
        bank="",
    )
    bank, shop = stories(told)

    assert (bank.service, bank.steps, bank.traffic) == ("bank", (), ())
    assert shop.needs == ("bank",)
    assert shop.steps == (
        Call(
            SHOP,
            "POST",
            "/shop/api/v1/stock",
            says="stocks the shop",
            json={"name": "tea"},
            headers=(("Authorization", "Bearer {token}"),),
            expect=201,
            save=(("tea", "id"),),
            internal=True,
        ),
    )
    assert shop.traffic == (Call(SHOP, "GET", "/shop/api/v1/products", weight=3),)


def test_stories_come_after_those_they_need(tmp_path: Path):
    """Whatever the names; each is told once, also when two need it."""
    told = workspace(
        tmp_path, a='needs = ["z", "b"]', b='needs = ["z"]', z="needs = []", y="needs = []"
    )

    assert [story.service for story in stories(told)] == ["z", "b", "a", "y"]


def test_stories_that_need_each_other_are_refused(tmp_path: Path):
    """With the circle, from its beginning to its beginning."""
    told = workspace(tmp_path, a='needs = ["b"]', b='needs = ["a"]')
    with pytest.raises(InputError) as refused:
        stories(told)

    assert refused.value.code == "story-broken"
    assert "a -> b -> a" in refused.value.cause


def test_a_story_that_needs_nobody_known_is_refused(tmp_path: Path):
    """The service it speaks of is named."""
    with pytest.raises(InputError) as refused:
        stories(workspace(tmp_path, a='needs = ["banc"]', bank=""))

    assert refused.value.code == "unknown-service"
    assert refused.value.hint == "did you mean bank?"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("needs = [", "TOMLDecodeError"),
        ('[[step]]\nsays = "nothing"', "'call'"),
        ('[[step]]\ncall = "GET"', "ValueError"),
        ('[[step]]\ncall = "GET /a"\nvia = "phone"', "'phone'"),
        ('[[traffic]]\ncall = "GET /a"\nweight = "much"', "'much' is no whole number"),
        ('[[traffic]]\ncall = "GET /a"\nexpect = 2.5', "2.5 is no whole number"),
    ],
)
def test_a_broken_story_is_refused_with_its_file(tmp_path: Path, text: str, word: str):
    """What is wrong, where, and what a call looks like."""
    with pytest.raises(InputError) as refused:
        stories(workspace(tmp_path, shop=text))

    assert refused.value.code == "story-broken"
    assert "services/shop/story.toml" in refused.value.cause
    assert word in refused.value.cause
    assert "[[step]]" in refused.value.hint


def test_the_services_of_this_repository_have_stories():
    """Each has something to show, and every value it speaks of is known or saved before."""
    told = stories(Workspace(REPOSITORY))
    known = {"customer", "password", "unique"}
    for story in told:
        for call in (*story.steps, *story.traffic):
            assert call.path.startswith(f"/{call.service}/api")
            known |= {name for name, _ in call.save}

    assert all(story.traffic for story in told)
    assert len(known) > 3


def test_a_customer_remembers_what_a_step_says_to_save(
    server: Answering, http: urllib3.PoolManager
):
    """A key, a key in a key, and a place in a list; later calls carry it, numbers as numbers."""
    server.says(201, {"id": 7, "user": {"token": "t0k"}, "items": [{"sku": "tea"}]})
    who = customer(server)
    saves = (("product", "id"), ("token", "user.token"), ("sku", "items.0.sku"))
    who.play(Call(SHOP, "POST", "/shop/a", expect=201, save=saves), http)
    body = {"id": "{product}", "lines": ["{sku}", "{sku}-{product}"], "count": 2, "no": None}
    who.play(
        Call(
            SHOP,
            "PUT",
            "/shop/b/{product}",
            json=body,
            headers=(("Authorization", "Bearer {token}"),),
            expect=201,
        ),
        http,
    )

    assert (who.known["product"], who.known["token"], who.known["sku"]) == ("7", "t0k", "tea")
    seen = server.requests[-1]
    assert (seen.method, seen.path) == ("PUT", "/shop/b/7")
    assert seen.headers["Authorization"] == "Bearer t0k"
    assert seen.headers["Content-Type"] == "application/json"
    assert json.loads(seen.body) == {
        "id": 7,
        "lines": ["tea", "tea-7"],
        "count": 2,
        "no": None,
    }


def test_internal_calls_go_to_the_inner_listener(server: Answering, http: urllib3.PoolManager):
    """The public one does not route them."""
    customer(server).play(Call(SHOP, "GET", "/shop/a", internal=True), http)

    assert server.requests[-1].path == "/inner/shop/a"


def test_every_customer_is_somebody_else(server: Answering, http: urllib3.PoolManager):
    """With a name and a password made at run time; `unique` is new each time it is said."""
    one, other = customer(server), customer(server)
    call = Call(SHOP, "POST", "/shop/{unique}", json={"again": "{unique}"})
    one.play(call, http)
    one.play(call, http)
    paths = [request.path for request in server.requests]

    assert one.known["customer"] != other.known["customer"]
    assert one.known["password"] != other.known["password"]
    assert len(set(paths)) == 2


def test_an_unexpected_answer_ends_the_story(server: Answering, http: urllib3.PoolManager):
    """With the call, both statuses, and the beginning of what came."""
    server.says(500, {"code": "oops"})
    with pytest.raises(OperationError) as refused:
        customer(server).play(Call(SHOP, "GET", "/shop/a"), http)

    assert refused.value.code == "story-broken"
    assert refused.value.cause == "GET /shop/a answered 500, not 200"
    assert "services/shop/story.toml" in refused.value.hint
    assert "oops" in refused.value.details[0]


def test_a_value_that_nobody_saved_is_named(server: Answering, http: urllib3.PoolManager):
    """A slip in a story is told as one."""
    with pytest.raises(OperationError) as refused:
        customer(server).play(Call(SHOP, "GET", "/shop/{coffee}"), http)

    assert refused.value.code == "story-broken"
    assert "{coffee}" in refused.value.cause
    assert not server.requests
