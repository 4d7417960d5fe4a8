"""What must never be logged: passwords, hashes, tokens and keys."""

import pytest

pytestmark = pytest.mark.integration

PASSWORD = "a-password-to-look-for"


@pytest.fixture
def talkative(monkeypatch):
    """An instance that logs all it can; wanted before the app is made."""
    monkeypatch.setenv("PLATFORM_LOG_LEVEL", "debug")


def test_a_customers_secrets_are_in_no_log(talkative, capfd, client):
    """Neither when all goes well, nor when the input is refused."""
    body = {"email": "ada@example.test", "password": PASSWORD}
    client.post("/api/v1/accounts", json=body)
    token = client.post("/api/v1/tokens", json=body).json["access_token"]
    client.post("/api/v1/accounts", json=body)
    client.post("/api/v1/tokens", json={**body, "password": PASSWORD + "?"})
    client.post("/api/v1/accounts", json={**body, "password": PASSWORD * 9})
    client.post("/api/v1/accounts", json={"email": 1, "password": [PASSWORD]})
    client.get("/api/v1/jwks")

    logged = "".join(capfd.readouterr())
    assert logged.count("request_finished") == 7  # the control: this is where the logs are
    assert PASSWORD not in logged
    assert "$argon2id" not in logged
    assert token not in logged
    assert token.split(".")[2] not in logged


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
