"""Going on with a session: each refresh token once, and what a copied one does."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from auth import sessions
from auth.sessions import DOUBLE_CLICK, IDLE, LONGEST, MOST, Finding
from auth.tables import refresh_tokens
from auth.tables import sessions as stored_sessions

pytestmark = pytest.mark.usefixtures("cheap_passwords")

SECOND = timedelta(seconds=1)


@pytest.fixture
def refresh(client):
    """Exchange a refresh token, and return the answer."""
    return lambda token: client.post("/api/v1/tokens/refresh", json={"refresh_token": token})


@pytest.mark.parametrize(
    ("used", "expires", "expected"),
    [
        (None, SECOND, Finding.GOOD),
        (None, 0 * SECOND, Finding.EXPIRED),
        (0 * SECOND, SECOND, Finding.JUST_USED),
        (DOUBLE_CLICK - SECOND, SECOND, Finding.JUST_USED),
        (DOUBLE_CLICK, SECOND, Finding.REUSED),
        (DOUBLE_CLICK, 0 * SECOND, Finding.REUSED),
    ],
)
def test_what_a_token_is_worth(clock, used, expires, expected):
    """By when it was used, and when it expires; `used` is how long ago."""
    now = clock()

    found = sessions.judge(now + expires, None if used is None else now - used, now=now)

    assert found is expected


@pytest.mark.integration
def test_a_refresh_token_is_exchanged_for_the_next_pair(refresh, customer, log_in):
    """And that one for the next; the answer has the shape of a login's, and no cache may keep it."""
    token = log_in(customer)["refresh_token"]
    seen = {token}
    for _ in range(3):
        answer = refresh(token)
        token = answer.json["refresh_token"]
        seen.add(token)

        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert set(answer.json) == set(log_in(customer))
    assert len(seen) == 4


@pytest.mark.integration
def test_a_session_stays_the_same_through_its_refreshes(client, refresh, customer, log_in, clock):
    """The new access token is of the same account and the same session."""
    said = log_in(customer)
    clock.later += SECOND
    after = refresh(said["refresh_token"]).json

    headers = {"Authorization": f"Bearer {after['access_token']}"}
    (session,) = client.get("/api/v1/sessions", headers=headers).json["items"]
    assert session["current"] is True
    assert session["refreshed_at"] > session["started_at"]


@pytest.mark.integration
def test_a_token_that_comes_again_ends_the_session(refresh, customer, log_in, clock):
    """Its copy is somebody's: neither of the two goes on."""
    first = log_in(customer)["refresh_token"]
    second = refresh(first).json["refresh_token"]
    clock.later += DOUBLE_CLICK
    reused = refresh(first)

    assert (reused.status_code, reused.json["code"]) == (401, "refresh_invalid")
    assert refresh(second).status_code == 401


@pytest.mark.integration
def test_a_copied_token_ends_one_session_only(refresh, customer, log_in, clock):
    """The owner's other devices, and other customers, stay logged in."""
    first, other = log_in(customer)["refresh_token"], log_in(customer)["refresh_token"]
    refresh(first)
    clock.later += DOUBLE_CLICK
    refresh(first)

    assert refresh(other).status_code == 200


@pytest.mark.integration
def test_a_double_click_costs_nothing(refresh, customer, log_in, clock):
    """Within ten seconds the second one is refused, gets no token, and the session goes on."""
    first = log_in(customer)["refresh_token"]
    second = refresh(first).json["refresh_token"]
    clock.later += DOUBLE_CLICK / 2
    again = refresh(first)

    assert (again.status_code, again.json["code"]) == (409, "refresh_superseded")
    assert "refresh_token" not in again.json
    assert refresh(second).status_code == 200


@pytest.mark.integration
def test_of_many_that_come_at_once_one_wins(app, customer, log_in, together, database):
    """In every round exactly one; the session goes on with the winner's token."""
    token = log_in(customer)["refresh_token"]
    for _ in range(5):
        body = {"refresh_token": token}
        answers = together(
            6, lambda body=body: app.test_client().post("/api/v1/tokens/refresh", json=body)
        )
        (winner,) = (answer for answer in answers if answer.status_code == 200)
        token = winner.json["refresh_token"]

        assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 5}
    with database.connect() as connection:
        unused = select(func.count()).where(refresh_tokens.c.used_at.is_(None))
        assert connection.scalar(unused) == 1


@pytest.mark.integration
def test_refreshes_and_logouts_at_once_never_wait_in_a_circle(app, customer, log_in, together):
    """Each round ends with the session, whoever comes first."""
    for _ in range(5):
        body = {"refresh_token": log_in(customer)["refresh_token"]}
        turn = iter(["/api/v1/tokens/refresh", "/api/v1/logout"] * 3)
        answers = together(
            6, lambda turn=turn, body=body: app.test_client().post(next(turn), json=body)
        )

        assert {answer.status_code for answer in answers} <= {200, 204, 401, 409}
        assert app.test_client().post("/api/v1/tokens/refresh", json=body).status_code == 401


@pytest.mark.integration
def test_who_does_not_come_back_logs_in_again(refresh, customer, log_in, clock):
    """After two weeks; a second before it still works."""
    one, other = log_in(customer)["refresh_token"], log_in(customer)["refresh_token"]
    clock.later = IDLE - SECOND
    assert refresh(one).status_code == 200
    clock.later = IDLE + SECOND

    assert (refresh(other).status_code, refresh(other).json["code"]) == (401, "refresh_invalid")


@pytest.mark.integration
def test_no_session_lasts_longer_than_three_months(refresh, customer, log_in, clock):
    """However busy it is."""
    token = log_in(customer)["refresh_token"]
    while clock.later + IDLE < LONGEST:
        clock.later += IDLE - SECOND
        token = refresh(token).json["refresh_token"]
    clock.later = LONGEST

    assert refresh(token).status_code == 401


@pytest.mark.integration
def test_a_session_keeps_no_tokens_that_have_expired(refresh, customer, log_in, clock, database):
    """The table does not grow with a session's age."""
    token = log_in(customer)["refresh_token"]
    for _ in range(4):
        clock.later += IDLE - SECOND
        token = refresh(token).json["refresh_token"]

    with database.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(refresh_tokens)) <= 3


@pytest.mark.integration
def test_an_account_has_twenty_sessions_at_most(refresh, customer, log_in, clock, database):
    """The one that was longest not used ends, and no other."""
    tokens = []
    for _ in range(MOST):
        clock.later += SECOND
        tokens.append(log_in(customer)["refresh_token"])
    clock.later += SECOND
    tokens[0] = refresh(tokens[0]).json["refresh_token"]
    log_in(customer)

    assert [refresh(token).status_code for token in tokens[:3]] == [200, 401, 200]
    with database.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(stored_sessions)) == MOST


@pytest.mark.integration
def test_the_database_has_no_token(customer, log_in, database):
    """Only hashes: who copies the table is logged in nowhere."""
    token = log_in(customer)["refresh_token"]

    with database.connect() as connection:
        rows = connection.execute(select(refresh_tokens)).all()
    assert len(rows) == 1
    assert token not in repr(rows)
    assert len(rows[0].hash) == 32


@pytest.mark.integration
@pytest.mark.parametrize("token", ["A" * 43, "_" * 43])
def test_a_token_that_nobody_made_is_refused(refresh, customer, log_in, token):
    """As one that was: which of them is not told."""
    log_in(customer)

    answer = refresh(token)
    assert (answer.status_code, answer.json["code"]) == (401, "refresh_invalid")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.integration
@pytest.mark.parametrize("path", ["/api/v1/tokens/refresh", "/api/v1/logout"])
@pytest.mark.parametrize(
    "token", ["", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "\n", None, 7, ["A" * 43]]
)
def test_what_cannot_be_a_token_is_not_looked_up(client, path, token):
    """422, and the answer does not repeat it."""
    answer = client.post(path, json={"refresh_token": token})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == ["refresh_token"]
    assert "AAAA" not in answer.text


@pytest.mark.integration
def test_an_access_token_is_no_refresh_token(client, customer, log_in):
    """It has another shape, and nobody looks it up."""
    token = log_in(customer)["access_token"]

    assert client.post("/api/v1/tokens/refresh", json={"refresh_token": token}).status_code == 422


@pytest.mark.integration
def test_a_session_goes_on_at_the_other_instance(customer, log_in, instance, migrated_url):
    """Slots and instances share the database, and so the sessions."""
    token = log_in(customer)["refresh_token"]
    other = instance(migrated_url).test_client()

    assert other.post("/api/v1/tokens/refresh", json={"refresh_token": token}).status_code == 200
