"""What an instance says when it cannot start. Nothing is left running, and nobody has to read a traceback."""

import socket

import pytest

from platform_kit import serve

pytestmark = pytest.mark.integration


def refusal(instance):
    """The exit code and what was written, once the instance has given up."""
    return instance.process.wait(60), instance.log.read_text()


def test_a_missing_setting_is_named_with_what_to_type(start):
    """The service asks for NEEDY_DATABASE_URL; the instance ends and says so."""
    code, text = refusal(start("needy", wait=False, NEEDY_ROUTER_URL="http://127.0.0.1:1"))

    assert code == 4
    assert "NEEDY_DATABASE_URL is not set" in text
    assert "hint: export NEEDY_DATABASE_URL=postgresql://" in text
    assert "Traceback" not in text


def test_a_fault_is_refused_where_none_is_allowed(start):
    """Faults in production would be somebody's mistake."""
    code, text = refusal(start(wait=False, PLATFORM_FAULT_ERROR_SHARE="0.2"))

    assert code == 1
    assert "PLATFORM_FAULT_ERROR_SHARE is not valid: faults are not allowed here" in text
    assert "Traceback" not in text


def test_a_bad_value_is_refused_by_its_name(start):
    """And without pydantic's page of text."""
    code, text = refusal(start(wait=False, PLATFORM_THREADS="many"))

    assert code == 1
    assert text.startswith("error: PLATFORM_THREADS is not valid: ")
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize("variable", ["PLATFORM_PORT", "PLATFORM_ADMIN_PORT"])
def test_a_taken_port_is_refused_at_once(start, variable):
    """With a command that shows who has it."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, text = refusal(start(wait=False, **{variable: port}))

    assert code == 1
    assert f"{variable}: 127.0.0.1:{port} is taken by another process" in text
    assert f"hint: ss -ltnp 'sport = :{port}'" in text


@pytest.mark.parametrize("name", ["nobody", "not-a-name", "json"])
def test_an_unknown_service_is_refused(start, name):
    """Also one that is no service, or no name at all."""
    code, text = refusal(start(name, wait=False))

    assert code == 1
    assert f"no service '{name}' is installed here" in text


def test_the_program_exits_with_the_error(capsys, monkeypatch):
    """The same in this process: `main` turns the kit's errors into exit 1."""
    with pytest.raises(SystemExit) as exited:
        serve.main(["nobody"])

    assert exited.value.code == 1
    assert capsys.readouterr().err.startswith("error: no service 'nobody'")
