"""Auth's flags: their file goes with the code, and what each does on and off."""

import re

import jwt
import pytest

from auth import tokens
from auth.flags import FLAGS, SHORT_TOKENS
from auth.rotation import KEPT
from platform_kit.flags import check
from platform_kit.instance import Instance


def test_the_file_and_the_code_go_together():
    """Nothing unknown, nothing missing, nothing of another type."""
    assert check(FLAGS) == []


def test_the_app_decides_by_the_file(instance):
    """Not only the tests know of it."""
    app = instance("postgresql://127.0.0.1:9/nowhere")
    page = Instance.of(app).metrics.exposition().decode()

    assert re.findall(r"^flag_file_ok{.*} (\S+)$", page, re.MULTILINE) == ["1.0"]


def test_no_token_outlives_its_key():
    """Whichever way the flag is."""
    assert tokens.SHORT < tokens.LIFETIME < KEPT


@pytest.mark.integration
@pytest.mark.parametrize(("on", "seconds"), [(True, 300), (False, 900)])
def test_a_token_is_good_for_five_minutes_where_the_flag_is_on(
    client, cheap_passwords, customer, log_in, on, seconds
):
    """For a quarter of an hour where it is off; a refresh goes by the same, and the answers say so."""
    with SHORT_TOKENS.override(on):
        begun = log_in(customer)
        token = {"refresh_token": begun["refresh_token"]}
        gone_on = client.post("/api/v1/tokens/refresh", json=token).json

    assert [lasting(answer) for answer in (begun, gone_on)] == [(seconds, seconds)] * 2


def lasting(answer):
    """How many seconds a token lasts, by the answer and by itself."""
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    return answer["expires_in"], claims["exp"] - claims["iat"]


@pytest.mark.integration
def test_the_flag_is_asked_for_the_account(cheap_passwords, register, log_in, monkeypatch):
    """So each stays with what they have."""
    asked = []
    monkeypatch.setattr(type(SHORT_TOKENS), "on", lambda _flag, key: asked.append(key) or False)
    customers = [register(), register()]
    for customer in customers:
        log_in(customer)

    assert asked == [customer.id for customer in customers]
