"""The audit trail: one event for each thing that somebody did or was refused, and nothing that opens a door."""

import json

import pytest

from auth import keys, services
from auth.sessions import DOUBLE_CLICK
from auth.throttle import ACCOUNT

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("cheap_passwords")]


def told(lines):
    """Of each event its name, its outcome and its reason, in order."""
    return [(line["event"], line["outcome"], line.get("reason")) for line in lines]


def test_an_event_names_its_subject_and_its_client(client, customer, log_in, audited):
    """By id and by address, beside the request's id."""
    log_in(customer)
    audited()
    client.post(
        "/api/v1/tokens",
        json={"email": customer.email, "password": customer.password},
        headers={"X-Forwarded-For": "192.0.2.7", "X-Request-Id": "r1"},
    )
    (event,) = audited()

    assert {name: event[name] for name in ("event", "subject", "client", "outcome")} == {
        "event": "login_succeeded",
        "subject": customer.id,
        "client": "192.0.2.7",
        "outcome": "done",
    }
    assert event["request_id"] == "r1"


def test_logins_are_told_however_they_end(client, customer, log_in, audited):
    """A wrong password, a lock, and an address that nobody has."""
    audited()
    log_in(customer)
    bodies = [{"email": customer.email, "password": "wrong"}] * (ACCOUNT.room + 1)
    for body in [*bodies, {"email": "nobody@example.test", "password": "wrong"}]:
        client.post("/api/v1/tokens", json=body)
    events = audited()

    refused = ("login_refused", "refused", "credentials_wrong")
    locked = ("login_refused", "refused", "too_many_attempts")
    begun = [("key_made", "done", None), ("login_succeeded", "done", None)]
    assert sorted(told(events[:2]), key=str) == begun
    assert told(events[2:]) == [*[refused] * ACCOUNT.room, locked, refused]
    assert [event["subject"] for event in events[-2:]] == [customer.id, None]


def test_registrations_are_told(client, audited):
    """Also those that were refused; never the address."""
    body = {"email": "ada@example.test", "password": "correct horse battery"}
    for _ in range(2):
        client.post("/api/v1/accounts", json=body)
    events = audited()

    assert told(events) == [
        ("account_registered", "done", None),
        ("registration_refused", "refused", "email_taken"),
    ]
    assert "ada@" not in json.dumps(events)


def test_what_becomes_of_a_session_is_told(client, customer, log_in, clock, audited):
    """From its refreshes to the copy that ends it, or the logout."""
    first = log_in(customer)["refresh_token"]
    other = log_in(customer)["refresh_token"]
    audited()

    def refresh(token):
        client.post("/api/v1/tokens/refresh", json={"refresh_token": token})

    refresh(first)
    refresh(first)
    clock.later += DOUBLE_CLICK
    refresh(first)
    refresh(first)
    client.post("/api/v1/logout", json={"refresh_token": other})
    events = audited()

    assert told(events) == [
        ("token_refreshed", "done", None),
        ("refresh_refused", "refused", "just_used"),
        ("refresh_reused", "refused", "reused"),
        ("refresh_refused", "refused", "unknown"),
        ("logged_out", "done", None),
    ]
    subjects = [event["subject"] for event in events]
    assert subjects == [customer.id] * 3 + [None, customer.id]


def test_sessions_that_are_ended_from_elsewhere_are_told(client, customer, bearer, audited):
    """One event a session."""
    _, _, headers = (bearer(customer) for _ in range(3))
    audited()
    client.delete("/api/v1/sessions", headers=headers)

    assert told(audited()) == [("session_ended", "done", None)] * 3


def test_roles_are_told_with_who_gave_them(client, admin, customer, bearer, audited):
    """And who was refused."""
    headers = {who.id: bearer(who) for who in (admin, customer)}
    audited()
    for who in (admin, customer):
        path = f"/api/v1/accounts/{customer.id}/role"
        client.put(path, headers=headers[who.id], json={"role": "customer"})
    client.get(f"/api/v1/accounts/{admin.id}", headers=headers[customer.id])
    events = audited()

    assert told(events) == [
        ("role_granted", "done", None),
        ("access_refused", "refused", "role_missing"),
        ("access_refused", "refused", "not_own"),
    ]
    assert (events[0]["subject"], events[0]["by"]) == (customer.id, admin.id)
    assert events[0]["role"] == "customer"


def test_keys_are_told_by_their_ids(client, database, clock, audited):
    """From the first to the last of each."""
    first = keys.signing_key(database, now=clock()).kid
    second, signs_at = keys.rotate(database, now=clock())
    keys.signing_key(database, now=signs_at)
    third = keys.replace(database, now=signs_at)
    events = [(event["event"], event["kid"]) for event in audited()]

    assert events[:3] == [("key_made", first), ("key_announced", second), ("key_promoted", second)]
    assert sorted(events[3:]) == sorted(
        [("key_retired", first), ("key_retired", second), ("key_made", third)]
    )


def test_services_are_told(client, database, clock, audited):
    """Admitted, recognised and refused."""
    secret = services.admit(database, "order")
    keys.signing_key(database, now=clock())
    audited_before = audited()
    for given in (secret, "A" * 43):
        client.post("/api/v1/service-tokens", json={"service": "order", "secret": given})

    assert told(audited_before)[0] == ("service_admitted", "done", None)
    assert told(audited()) == [
        ("service_recognised", "done", None),
        ("service_refused", "refused", None),
    ]


def test_no_log_level_silences_it(monkeypatch, instance, migrated_url, database, audited):
    """Who turns the log down does not lose who came in."""
    monkeypatch.setenv("PLATFORM_LOG_LEVEL", "error")
    client = instance(migrated_url).test_client()
    client.post("/api/v1/tokens", json={"email": "nobody@example.test", "password": "wrong"})

    assert told(audited()) == [("login_refused", "refused", "credentials_wrong")]
