"""What must never be logged: passwords, hashes, tokens and keys."""

import pytest

from auth import keys, services, sessions

pytestmark = pytest.mark.integration

PASSWORD = "a-password-to-look-for"


@pytest.fixture
def talkative(monkeypatch):
    """An instance that logs all it can; wanted before the app is made."""
    monkeypatch.setenv("PLATFORM_LOG_LEVEL", "debug")


def test_a_customers_secrets_are_in_no_log(talkative, capfd, client, clock):
    """Neither when all goes well, nor when the input is refused, nor in the audit trail."""
    body = {"email": "ada@example.test", "password": PASSWORD}
    client.post("/api/v1/accounts", json=body)
    said = client.post("/api/v1/tokens", json=body).json
    client.post("/api/v1/accounts", json=body)
    client.post("/api/v1/tokens", json={**body, "password": PASSWORD + "?"})
    client.post("/api/v1/accounts", json={**body, "password": PASSWORD * 9})
    client.post("/api/v1/accounts", json={"email": 1, "password": [PASSWORD]})
    client.get("/api/v1/jwks")
    client.get("/api/v1/sessions", headers={"Authorization": f"Bearer {said['access_token']}"})

    logged = "".join(capfd.readouterr())
    assert logged.count("request_finished") == 8  # the control: this is where the logs are
    assert logged.count('"audit": true') >= 4
    assert secrets_in(logged, said) == []


def test_refresh_tokens_are_in_no_log(talkative, capfd, client, customer, log_in, clock):
    """Neither the good one, nor a copy, nor one that is none."""
    first = log_in(customer)
    body = {"refresh_token": first["refresh_token"]}
    second = client.post("/api/v1/tokens/refresh", json=body).json
    clock.later += sessions.DOUBLE_CLICK
    client.post("/api/v1/tokens/refresh", json=body)
    client.post("/api/v1/tokens/refresh", json={"refresh_token": first["refresh_token"] + "x"})
    client.post("/api/v1/logout", json={"refresh_token": second["refresh_token"]})

    logged = "".join(capfd.readouterr())
    assert "refresh_reused" in logged  # the control
    assert secrets_in(logged, first) == secrets_in(logged, second) == []


def test_services_secrets_and_private_keys_are_in_no_log(talkative, capfd, client, database, clock):
    """Nor is the token that the secret is good for."""
    secret = services.admit(database, "order")
    said = client.post("/api/v1/service-tokens", json={"service": "order", "secret": secret}).json
    keys.rotate(database, now=clock())
    private = [key.private_key.private_bytes_raw() for key in keys.all_keys(database, now=clock())]

    logged = "".join(capfd.readouterr())
    assert "key_announced" in logged  # the control
    assert secret not in logged
    assert secrets_in(logged, said) == []
    assert not any(key.hex() in logged or repr(key) in logged for key in private)


def secrets_in(logged, said):
    """What a log must not have: of an answer its tokens and their signatures, and any password or hash."""
    tokens = [said["access_token"], said["access_token"].split(".")[2], said.get("refresh_token")]
    return [
        secret
        for secret in (PASSWORD, "$argon2id", "eyJ", *tokens)
        if secret is not None and secret in logged
    ]


def test_the_search_finds_what_it_looks_for():
    """The negative control."""
    said = {"access_token": "a.b.signature", "refresh_token": "refresh"}

    for secret in (PASSWORD, "$argon2id$v=19", "eyJhbGciOi", "signature", "refresh"):
        assert len(secrets_in(f"logged {secret} here", said)) == 1


def test_a_refusal_does_not_repeat_the_password(client):
    """An answer may be logged by whoever asked."""
    for password in (PASSWORD * 9, [PASSWORD], {"is": PASSWORD}):
        answer = client.post(
            "/api/v1/accounts", json={"email": "ada@example.test", "password": password}
        )

        assert answer.status_code == 422
        assert PASSWORD not in answer.text


def test_a_crash_logs_its_cause_without_the_secrets(talkative, capfd, instance, database_url):
    """The traceback of a failed statement must not carry the values that were bound to it."""
    client = instance(database_url).test_client()  # on an empty database: no table is there
    body = {"email": "ada@example.test", "password": PASSWORD}

    answer = client.post("/api/v1/accounts", json=body)

    logged = "".join(capfd.readouterr())
    assert answer.status_code == 500
    assert answer.json["code"] == "internal_error"
    assert "accounts" not in answer.text
    assert "UndefinedTable" in logged  # the control: the cause was logged
    assert PASSWORD not in logged
    assert "$argon2id" not in logged
