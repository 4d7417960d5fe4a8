"""What the operator types: `python -m auth ...`, on a real database."""

import os
import subprocess
import sys

import pytest

from auth import __main__ as program

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("cheap_passwords")]


@pytest.fixture
def run(monkeypatch, migrated_url, database, capsys):
    """Run a command in this process; return its code and what it printed."""
    monkeypatch.setenv("AUTH_DATABASE_URL", migrated_url)
    monkeypatch.setenv("AUTH_ROUTER_URL", "http://127.0.0.1:9")

    def run(*words):
        code = program.main(list(words))
        return code, *capsys.readouterr()

    return run


def test_the_first_admin_is_made_by_the_operator(run, client, customer, bearer):
    """However the address is spelled; from then on admins make others."""
    code, out, _ = run("grant", f" {customer.email.upper()} ", "admin")

    assert (code, out) == (0, f"{customer.id} has the role admin\n")
    headers = bearer(customer)
    assert client.get(f"/api/v1/accounts/{customer.id}", headers=headers).json["role"] == "admin"


def test_a_role_for_nobody_is_refused(run):
    """With 1, and why."""
    code, out, err = run("grant", "nobody@example.test", "admin")

    assert (code, out) == (1, "")
    assert err.endswith("error: 404 account_unknown: There is no such account.\n")


def test_rotating_says_which_key_signs_when(run, client):
    """The key is published from then on."""
    client.get("/api/v1/jwks")
    code, out, _ = run("rotate-keys")
    kid, *words = out.split()

    assert (code, words[:2]) == (0, ["signs", "from"])
    assert client.get("/api/v1/jwks").json["keys"][1]["kid"] == kid


def test_rotating_stolen_keys_leaves_one(run, client):
    """It signs at once."""
    client.get("/api/v1/jwks")
    code, out, _ = run("rotate-keys", "--stolen")

    assert code == 0
    assert [key["kid"] for key in client.get("/api/v1/jwks").json["keys"]] == [out.split()[0]]


def test_admitting_a_service_prints_its_secret_once(run, client):
    """On stdout and nowhere else: the audit trail on stderr has it not."""
    code, out, err = run("admit", "order")
    body = {"service": "order", "secret": out.strip()}

    assert code == 0
    assert client.post("/api/v1/service-tokens", json=body).status_code == 200
    assert "service_admitted" in err
    assert out.strip() not in err


@pytest.mark.parametrize(
    "words", [(), ("grant", "a@b"), ("grant", "a@b", "root"), ("admit", "No Service"), ("rotate",)]
)
def test_what_makes_no_command_is_misuse(run, words):
    """With 2, as any program."""
    with pytest.raises(SystemExit) as ended:
        run(*words)

    assert ended.value.code == 2


def test_a_database_that_is_not_there_is_told_without_its_password(run, monkeypatch):
    """One line, no traceback."""
    monkeypatch.setenv("AUTH_DATABASE_URL", "postgresql://auth:hunter2@127.0.0.1:9/auth")
    code, _, err = run("rotate-keys")

    assert code == 1
    assert err.startswith("error: the database cannot be reached: ")
    assert "hunter2" not in err


def test_it_runs_as_the_module_that_the_guides_name():
    """A missing setting is named, as by the service."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AUTH_")}
    done = subprocess.run(
        [sys.executable, "-m", "auth", "rotate-keys"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "AUTH_" in done.stderr
    assert "hint: " in done.stderr
