"""The database: one server, closed between services, and back after whatever happened to it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from polling import eventually

from deployer.errors import OperationError
from deployer.model import ServiceName
from deployer.targets.local import postgres as module
from deployer.targets.local.postgres import Postgres

pytestmark = pytest.mark.integration

PRODUCT, ORDER = SERVICES = (ServiceName("product"), ServiceName("order"))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("state")
    yield folder
    Postgres(folder).down()


@pytest.fixture
def postgres(state: Path) -> Postgres:
    """A running server with the databases of two services; what a test did to it is put right."""
    made = Postgres(state)
    made.up(SERVICES)
    return made


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def kill(postgres: Postgres) -> int:
    """Kill the server as nothing can refuse, and return its process id."""
    pid = postgres.pid()
    assert pid is not None
    psutil.Process(pid).kill()
    assert eventually(lambda: postgres.pid() is None)
    return pid


def test_a_service_owns_its_database(postgres: Postgres):
    """It makes tables there, as its migrations will."""
    ask(postgres.url(PRODUCT), 'CREATE TABLE IF NOT EXISTS "order" (id int)')
    rows = ask(postgres.url(PRODUCT), "SELECT current_user, current_database()")

    assert rows == [("product", "product")]


@pytest.mark.parametrize(("service", "other"), [(PRODUCT, ORDER), (ORDER, PRODUCT)])
def test_a_service_can_not_reach_anothers_database(
    postgres: Postgres, service: ServiceName, other: ServiceName
):
    """With its own name and password it does not even get a connection there."""
    url = postgres.url(service).replace(f"@/{service}?", f"@/{other}?")
    with pytest.raises(psycopg.OperationalError, match=f'denied for database "{other}"'):
        ask(url, "SELECT 1")

    assert ask(postgres.url(other), "SELECT 1") == [(1,)]


def test_a_service_has_no_power_over_others(postgres: Postgres):
    """It can neither make roles nor read what the server's own user may."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(postgres.url(PRODUCT), "CREATE ROLE another")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(postgres.url(PRODUCT), "SELECT * FROM pg_authid")


def test_a_database_that_was_left_open_is_closed(postgres: Postgres):
    """An `up` that died between making a database and closing it."""
    with psycopg.connect(postgres._server().get_uri(), autocommit=True) as connection:
        connection.execute('GRANT CONNECT ON DATABASE "order" TO PUBLIC')
    url = postgres.url(PRODUCT).replace("@/product?", "@/order?")
    opened = ask(url, "SELECT 1")
    postgres.up(SERVICES)

    assert opened == [(1,)]
    with pytest.raises(psycopg.OperationalError, match="denied"):
        ask(url, "SELECT 1")


def test_a_wrong_password_opens_nothing(postgres: Postgres):
    """Being on the same machine is not enough."""
    url = postgres.url(PRODUCT)
    password = json.loads((postgres._state / "secrets.json").read_text())["product"]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        ask(url.replace(password, "guessed"), "SELECT 1")

    assert password in url


def test_passwords_are_made_once_and_kept_closed(postgres: Postgres, state: Path):
    """Each service another, readable by the owner alone, and the same for the next deployer."""
    secrets = state / "secrets.json"
    passwords = json.loads(secrets.read_text())

    assert set(passwords) == set(SERVICES)
    assert len(set(passwords.values())) == 2
    assert secrets.stat().st_mode & 0o777 == 0o600
    assert Postgres(state).url(PRODUCT) == postgres.url(PRODUCT)


def test_it_listens_on_no_port(postgres: Postgres):
    """Nobody reaches it over a network."""
    server = psutil.Process(postgres.pid())

    assert not [each for each in server.net_connections("inet") if each.status == "LISTEN"]


def test_up_twice_starts_one_server(postgres: Postgres, state: Path):
    """The second finds the first."""
    before = postgres.pid()
    Postgres(state).up(SERVICES)

    assert postgres.pid() == before


def test_a_killed_server_comes_back_with_its_data(postgres: Postgres):
    """What was committed is there, under the same passwords."""
    url = postgres.url(ORDER)
    ask(url, "CREATE TABLE IF NOT EXISTS kept (id int)")
    ask(url, "INSERT INTO kept VALUES (7)")
    killed = kill(postgres)
    postgres.up(SERVICES)

    assert postgres.pid() not in {None, killed}
    assert (7,) in ask(postgres.url(ORDER), "SELECT id FROM kept")


def test_a_server_that_is_ending_is_not_taken_for_one_that_runs(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
):
    """Killed a moment ago it still has its process: the first try fails, the second finds out."""
    bring_up, tries = postgres._up, []

    def meet_it_ending(services: tuple[ServiceName, ...]) -> None:
        tries.append(services)
        if len(tries) == 1:
            kill(postgres)
            raise ConnectionRefusedError("nobody listens any more")
        bring_up(services)

    monkeypatch.setattr(postgres, "_up", meet_it_ending)
    postgres.up((PRODUCT,))

    assert len(tries) == 2
    assert postgres.pid() is not None


def test_down_leaves_no_process_and_no_address(postgres: Postgres):
    """Twice is no error, and whoever asks for a database is told what to do."""
    server = psutil.Process(postgres.pid())
    family = [server, *server.children(recursive=True)]
    postgres.down()
    postgres.down()

    assert eventually(lambda: not any(each.is_running() for each in family))
    with pytest.raises(OperationError) as refused:
        postgres.url(PRODUCT)
    assert (refused.value.code, refused.value.hint) == ("database-down", "deployer up")


def test_a_process_id_used_again_is_not_taken_for_the_server(postgres: Postgres, state: Path):
    """After a reboot the file may name anybody: that program is left alone, and ours starts."""
    folder = state / "postgres"
    leftovers = {
        path: path.read_text().splitlines()[1:]
        for path in (folder / "postmaster.pid", folder / ".s.PGSQL.5432.lock")
        if path.exists()
    }
    # The server's own user's: one that PostgreSQL itself could signal.
    user = psutil.Process(postgres.pid()).username() if os.geteuid() == 0 else None
    kill(postgres)
    with subprocess.Popen(("sleep", "600"), user=user) as bystander:
        for path, lines in leftovers.items():
            path.write_text("\n".join([str(bystander.pid), *lines]) + "\n")
        try:
            seen = postgres.pid()
            postgres.down()
            postgres.up(SERVICES)
            left_alone = bystander.poll() is None
        finally:
            bystander.kill()

    assert (seen, left_alone) == (None, True)
    assert ask(postgres.url(PRODUCT), "SELECT 1") == [(1,)]


def test_a_server_whose_remains_do_not_go_is_not_started_over_them(
    postgres: Postgres, state: Path, monkeypatch: pytest.MonkeyPatch
):
    """Two servers on one folder would destroy it: what guards against that is left in place."""
    kill(postgres)
    monkeypatch.setattr(module, "REMAINS_SECONDS", 0.0)
    monkeypatch.setattr(Postgres, "_remains", lambda *_: True)
    postgres._clear_remains()

    assert (state / "postgres/postmaster.pid").exists()


def test_a_server_that_does_not_start_shows_its_log(postgres: Postgres, state: Path):
    """The line that PostgreSQL itself complains about."""
    postgres.down()
    settings = state / "postgres/postgresql.conf"
    sound = settings.read_text()
    settings.write_text(f"{sound}\nno_such_setting = 1\n")
    with pytest.raises(OperationError) as refused:
        postgres.up(SERVICES)
    settings.write_text(sound)

    assert refused.value.code == "database-down"
    assert any("no_such_setting" in line for line in refused.value.details)
    assert str(state / "postgres/log") in refused.value.hint
