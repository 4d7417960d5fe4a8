"""Product's flags: their file goes with the code, and what each does on and off."""

import re

import pytest

from platform_kit.flags import check
from platform_kit.instance import Instance
from product.flags import FLAGS, HIDE_SOLD_OUT


def test_the_file_and_the_code_go_together():
    """Nothing unknown, nothing missing, nothing of another type."""
    assert check(FLAGS) == []


def test_the_app_decides_by_the_file(instance):
    """Not only the tests know of it."""
    app = instance("postgresql://127.0.0.1:9/nowhere")
    page = Instance.of(app).metrics.exposition().decode()

    assert re.findall(r"^flag_file_ok{.*} (\S+)$", page, re.MULTILINE) == ["1.0"]


@pytest.mark.integration
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("on", [True, False])
def test_the_list_leaves_out_what_is_sold_out_where_the_flag_is_on(client, stocked, version, on):
    """Page by page; each product is still read by its id."""
    ids = [stocked(stock=stock) for stock in (0, 1, 0, 1, 1)]
    shown = [ids[1], ids[3], ids[4]] if on else ids
    with HIDE_SOLD_OUT.override(on):
        first = client.get(f"/api/{version}/products?limit=2").json
        rest = client.get(f"/api/{version}/products?after={first['next_after']}").json
        read = client.get(f"/api/{version}/products/{ids[0]}")

    assert [item["id"] for item in first["items"] + rest["items"]] == shown
    assert read.status_code == 200


@pytest.mark.integration
def test_the_flag_is_asked_for_the_callers_address(client, monkeypatch):
    """So each stays with what they have, page by page."""
    asked = []
    monkeypatch.setattr(type(HIDE_SOLD_OUT), "on", lambda _flag, key: asked.append(key) or False)
    for address in ("192.0.2.1", "192.0.2.2"):
        client.get("/api/v2/products", headers={"X-Forwarded-For": address})

    assert asked == ["192.0.2.1", "192.0.2.2"]
