"""The caller's sessions: seen, ended one by one, and all at once; and nobody else's."""

from datetime import timedelta
from uuid import uuid4

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("cheap_passwords")]

SECOND = timedelta(seconds=1)


@pytest.fixture
def listed(client):
    """The ids of the sessions that a caller sees."""

    def listed(headers):
        answer = client.get("/api/v1/sessions", headers=headers)
        assert answer.status_code == 200
        return [session["id"] for session in answer.json["items"]]

    return listed


def refreshed(client, token):
    """The status of going on with a refresh token."""
    return client.post("/api/v1/tokens/refresh", json={"refresh_token": token}).status_code


def test_a_caller_sees_their_sessions_the_last_used_first(client, customer, bearer, clock):
    """With when they began and end, and which one asks."""
    bearer(customer)
    clock.later += SECOND
    second = bearer(customer)
    answer = client.get("/api/v1/sessions", headers=second).json["items"]

    assert [session["current"] for session in answer] == [True, False]
    assert set(answer[0]) == {"id", "started_at", "refreshed_at", "ends_at", "current"}
    assert answer[0]["started_at"] > answer[1]["started_at"]


def test_a_logout_ends_the_session_and_no_other(client, customer, log_in):
    """By its refresh token, which is then worth nothing."""
    here, there = log_in(customer), log_in(customer)
    answer = client.post("/api/v1/logout", json={"refresh_token": here["refresh_token"]})

    assert (answer.status_code, answer.data) == (204, b"")
    assert refreshed(client, here["refresh_token"]) == 401
    assert refreshed(client, there["refresh_token"]) == 200


def test_an_older_token_of_the_session_logs_out_as_well(client, customer, log_in):
    """Whoever has it was logged in, and wants to be no more."""
    first = log_in(customer)["refresh_token"]
    second = client.post("/api/v1/tokens/refresh", json={"refresh_token": first}).json
    client.post("/api/v1/logout", json={"refresh_token": first})

    assert refreshed(client, second["refresh_token"]) == 401


def test_logging_out_twice_is_no_mistake(client, customer, log_in):
    """Nor with a token that nobody made (RFC 7009, 2.2)."""
    token = log_in(customer)["refresh_token"]
    tokens = [token, token, "A" * 43]

    answers = [client.post("/api/v1/logout", json={"refresh_token": each}) for each in tokens]
    assert [answer.status_code for answer in answers] == [204, 204, 204]


def test_logging_out_everywhere_ends_all_sessions(client, customer, register, log_in):
    """Of the caller; somebody else's go on."""
    other = log_in(register())
    mine = [log_in(customer) for _ in range(3)]
    headers = {"Authorization": f"Bearer {mine[0]['access_token']}"}
    answer = client.delete("/api/v1/sessions", headers=headers)

    assert answer.status_code == 204
    assert {refreshed(client, each["refresh_token"]) for each in mine} == {401}
    assert refreshed(client, other["refresh_token"]) == 200


def test_one_of_several_sessions_can_be_ended(client, customer, bearer, listed, clock):
    """A lost phone, from the laptop."""
    phone = bearer(customer)
    (phones,) = listed(phone)
    clock.later += SECOND
    laptop = bearer(customer)

    assert client.delete(f"/api/v1/sessions/{phones}", headers=laptop).status_code == 204
    assert phones not in listed(laptop)


def test_an_access_token_of_a_session_that_has_ended_opens_nothing_here(client, customer, bearer):
    """Elsewhere it is good until it expires; where sessions are known it counts at once."""
    headers = bearer(customer)
    client.delete("/api/v1/sessions", headers=headers)
    answer = client.get("/api/v1/sessions", headers=headers)

    assert (answer.status_code, answer.json["code"]) == (401, "session_ended")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_somebody_elses_session_is_as_good_as_none(client, customer, register, bearer, listed):
    """404 for both, word for word, and the session goes on."""
    mine, theirs = bearer(customer), bearer(register())
    (foreign,) = listed(theirs)
    answers = [
        client.delete(f"/api/v1/sessions/{each}", headers=mine) for each in (foreign, uuid4())
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert [answer.json["code"] for answer in answers] == ["session_unknown"] * 2
    assert listed(theirs) == [foreign]


def test_a_session_that_nobody_goes_on_with_is_not_listed(customer, bearer, listed, clock):
    """After two weeks it cannot go on: there is nothing to end."""
    clock.later = -timedelta(days=15)
    bearer(customer)
    clock.later = timedelta(0)

    assert len(listed(bearer(customer))) == 1
