"""Whose address a request is taken to come from."""

import pytest
from flask import Blueprint

from platform_kit import InstanceSettings, client_address


@pytest.fixture
def seen(make_app):
    """Ask from 10.0.0.1, the router, with a header, behind so many proxies of ours."""

    def ask(forwarded=None, *, proxies=1, peer="10.0.0.1"):
        routes = Blueprint("where", __name__)
        routes.get("/where")(lambda: {"address": client_address()})
        settings = InstanceSettings(version="1.1.0", admin_port=0, proxies=proxies)
        client = make_app(routes, settings=settings).test_client()
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        answer = client.get(
            "/api/v1/where", headers=headers, environ_overrides={"REMOTE_ADDR": peer}
        )
        return answer.json["address"]

    return ask


def test_the_router_says_who_called_it(seen):
    """Without it, whoever opened the connection is the client."""
    assert seen("192.0.2.7") == "192.0.2.7"
    assert seen() == "10.0.0.1"


def test_what_the_client_wrote_itself_does_not_count(seen):
    """Only the end of the list was written by the router."""
    assert seen("198.51.100.9, 192.0.2.7") == "192.0.2.7"


def test_of_two_proxies_the_outer_one_saw_the_client(seen):
    """The inner one saw the outer one."""
    assert seen("198.51.100.9, 192.0.2.7, 10.0.0.2", proxies=2) == "192.0.2.7"


def test_a_list_that_is_shorter_than_the_proxies_is_not_believed(seen):
    """Nor is any where there is no proxy at all."""
    assert seen("192.0.2.7", proxies=2) == "10.0.0.1"
    assert seen("192.0.2.7", proxies=0) == "10.0.0.1"


def test_the_addresses_of_one_customer_are_one_client(seen):
    """Of IPv6 whoever has one has 2^64; an IPv4 address in IPv6's clothes is itself."""
    assert seen("2001:db8:1:2:3:4:5:6") == seen("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert seen("2001:db8:1:3::1") != seen("2001:db8:1:2::1")
    assert seen("::ffff:192.0.2.7") == "192.0.2.7"


@pytest.mark.parametrize("forwarded", ["unknown", "_hidden", "<script>", "1.2.3.4.5"])
def test_what_is_no_address_is_none(seen, forwarded):
    """It goes into logs and keys: nothing else may."""
    assert seen(forwarded) is None


def test_outside_of_a_request_there_is_none():
    """A command has no client."""
    assert client_address() is None
