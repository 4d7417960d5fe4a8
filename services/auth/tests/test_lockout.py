"""Logins that fail too often: whom it stops, for how long, and what it does not tell."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, text

from auth import throttle
from auth.attempts import Origin
from auth.passwords import Passwords
from auth.tables import failed_attempts

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("cheap_passwords")]

SECOND = timedelta(seconds=1)
ROOM = throttle.ACCOUNT.room
LOCK = throttle.ACCOUNT.lock
FEW = ROOM + 2
PASSWORD = "not the right one"


@pytest.fixture
def attempt(client):
    """Try to log in from an address, and return the answer."""

    def attempt(email, password=PASSWORD, *, client_address="192.0.2.1"):
        return client.post(
            "/api/v1/tokens",
            json={"email": email, "password": password},
            headers={"X-Forwarded-For": client_address},
        )

    return attempt


@pytest.fixture
def few(monkeypatch):
    """Have a client locked after 12 failures: the rule's hundred take their time."""
    monkeypatch.setattr(throttle, "ADDRESS", replace(throttle.ADDRESS, room=FEW))


def statuses(attempt, email, times, **options):
    return [attempt(email, **options).status_code for _ in range(times)]


def test_the_failure_after_the_tenth_is_refused_with_when_to_come_back(attempt, customer):
    """As RFC 6585 and 9110 say it: 429, and Retry-After in seconds."""
    assert statuses(attempt, customer.email, ROOM) == [401] * ROOM
    answer = attempt(customer.email)

    assert (answer.status_code, answer.json["code"]) == (429, "too_many_attempts")
    assert 0 < int(answer.headers["Retry-After"]) <= LOCK.total_seconds()


def test_an_address_without_an_account_is_locked_just_the_same(attempt, customer):
    """Body for body: a lock does not tell who has an account."""

    def told(email):
        answers = [attempt(email) for _ in range(ROOM + 2)]
        return [
            (each.status_code, without_id(each.json), sorted(each.headers.keys()))
            for each in answers
        ]

    assert told(customer.email) == told("nobody@example.test")


def without_id(problem):
    return {name: value for name, value in problem.items() if name != "request_id"}


def test_the_right_password_does_not_open_a_lock(attempt, customer):
    """Else who guesses would see by the answer which one is right."""
    statuses(attempt, customer.email, ROOM)

    assert attempt(customer.email, customer.password).status_code == 429


def test_a_lock_ends_by_itself(attempt, customer, clock):
    """And the right password makes an end of the count."""
    statuses(attempt, customer.email, ROOM)
    clock.later += LOCK + SECOND

    assert attempt(customer.email, customer.password).status_code == 200
    assert statuses(attempt, customer.email, ROOM - 1) == [401] * (ROOM - 1)


def test_who_goes_on_guessing_gets_one_answer_a_lock(attempt, customer, clock):
    """The count is not forgotten with the lock."""
    statuses(attempt, customer.email, ROOM)
    clock.later += LOCK + SECOND

    assert statuses(attempt, customer.email, 3) == [401, 429, 429]


def test_a_storm_of_guesses_does_not_make_the_lock_longer(attempt, customer, clock):
    """Its victim would never come in again."""
    statuses(attempt, customer.email, ROOM + 20)
    clock.later += LOCK + SECOND

    assert attempt(customer.email, customer.password).status_code == 200


def test_a_lock_holds_for_every_client_and_no_other_account(attempt, customer, register):
    """Guessing from many addresses is guessing all the same."""
    statuses(attempt, customer.email, ROOM)
    other = register()

    assert attempt(customer.email, client_address="192.0.2.99").status_code == 429
    assert attempt(other.email, other.password).status_code == 200


def test_a_session_goes_on_while_its_account_is_locked(attempt, client, customer):
    """Who locks somebody else out keeps them from a new login, not from their work."""
    token = attempt(customer.email, customer.password).json["refresh_token"]
    statuses(attempt, customer.email, ROOM + 1)

    answer = client.post("/api/v1/tokens/refresh", json={"refresh_token": token})
    assert answer.status_code == 200


def test_one_client_that_tries_many_accounts_is_locked(attempt, few, customer, clock):
    """A guess an account; other clients go on, and so does it a minute later."""
    spread = [attempt(f"{number}@example.test").status_code for number in range(FEW + 1)]

    assert Counter(spread) == {401: FEW, 429: 1}
    assert attempt(customer.email, customer.password).status_code == 429
    elsewhere = attempt(customer.email, customer.password, client_address="192.0.2.2")
    assert elsewhere.status_code == 200
    clock.later += throttle.ADDRESS.lock + SECOND
    assert attempt(customer.email, customer.password).status_code == 200


def test_logging_in_now_and_then_hides_no_guesses(attempt, few, customer):
    """The right password empties the account's count, not the client's."""
    for number in range(FEW):
        attempt(f"{number}@example.test")
        if not number % 4:
            attempt(customer.email, customer.password)

    assert attempt(customer.email, customer.password).status_code == 429


def test_registering_addresses_that_are_taken_is_a_failure_of_the_client(client, few, customer):
    """409 tells that there is an account: not more often than the rule says."""
    body = {"email": customer.email, "password": "correct horse battery"}
    answers = [client.post("/api/v1/accounts", json=body).status_code for _ in range(FEW + 1)]

    assert Counter(answers) == {409: FEW, 429: 1}
    new = {**body, "email": "new@example.test"}
    assert client.post("/api/v1/accounts", json=new).status_code == 429


def test_many_guesses_at_once_get_no_more_answers_than_one_after_the_other(app, customer, together):
    """What ends after the lock is refused, however early it began. The right one among them begins a new count, or is refused."""
    passwords = iter([PASSWORD] * 23 + [customer.password])

    def guess():
        body = {"email": customer.email, "password": next(passwords)}
        return app.test_client().post("/api/v1/tokens", json=body).status_code

    answers = Counter(together(24, guess))

    assert answers[200] in {0, 1}
    assert answers[401] <= ROOM + (ROOM - 1) * answers[200]
    assert sum(answers.values()) == 24


def test_of_wrong_guesses_at_once_ten_are_answered(app, customer, together):
    """Exactly: each is counted before it is answered."""
    body = {"email": customer.email, "password": PASSWORD}
    answers = together(24, lambda: app.test_client().post("/api/v1/tokens", json=body).status_code)

    assert Counter(answers) == {401: ROOM, 429: 24 - ROOM}


def test_both_instances_count_together(attempt, customer, instance, migrated_url):
    """The count is in the database: a rollout doubles nobody's guesses."""
    other = instance(migrated_url).test_client()
    statuses(attempt, customer.email, ROOM)

    body = {"email": customer.email, "password": PASSWORD}
    assert other.post("/api/v1/tokens", json=body).status_code == 429


def test_logins_that_succeed_are_never_too_many(attempt, customer, database):
    """Nor do they leave anything in the table."""
    assert statuses(attempt, customer.email, 3 * ROOM, password=customer.password) == [200] * 30
    with database.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(failed_attempts)) == 0


def test_the_table_holds_no_more_than_what_still_counts(attempt, clock, database):
    """A failure takes ten forgotten rows along, also where PostgreSQL believes that there is one only."""
    then = clock() - throttle.FORGOTTEN_AFTER - SECOND
    rows = [{"key": bytes([n]), "failures": 1, "leaks_from": then} for n in range(25)]
    with database.begin() as connection:
        connection.execute(insert(failed_attempts).values(rows[:1]))
        connection.execute(text("ANALYZE failed_attempts"))
        connection.execute(insert(failed_attempts).values(rows[1:]))
    left = []
    for _ in range(4):
        attempt("nobody@example.test")
        with database.connect() as connection:
            left.append(connection.scalar(select(func.count()).select_from(failed_attempts)))

    assert left == [17, 7, 2, 2]


def test_the_table_names_nobody(attempt, customer, database):
    """Neither accounts nor clients: a copy of it is no list of addresses."""
    attempt(customer.email)

    with database.connect() as connection:
        rows = connection.execute(select(failed_attempts)).all()
    assert len(rows) == 2
    assert customer.email not in repr(rows)
    assert "192.0.2.1" not in repr(rows)


def test_without_an_address_the_account_alone_counts():
    """A proxy that says nothing usable locks nobody else out."""
    assert len(Origin("ada@example.test", None).rules()) == 1
    assert Origin(None, None).rules() == {}


def test_a_lock_is_answered_without_a_hash(attempt, customer, monkeypatch):
    """Who is locked out costs nothing."""
    statuses(attempt, customer.email, ROOM)
    monkeypatch.setattr(Passwords, "matches", lambda *_: pytest.fail("a password was compared"))

    assert attempt(customer.email).status_code == 429
