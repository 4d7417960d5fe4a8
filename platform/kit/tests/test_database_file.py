"""The database's URL in a file: read at every connect, so that a rotated password needs no restart."""

import secrets
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from platform_kit import Database, DatabaseUnreachable
from platform_kit.migrations.guard import engine as migration_engine
from platform_kit.readiness import Check

pytestmark = pytest.mark.integration


class Role:
    """A role that has to know its password, which can be changed."""

    def __init__(self, admin, database):
        self.name = f"rotating_{secrets.token_hex(4)}"
        self._admin = admin
        self._database = database
        self._ask_for_passwords()
        self.change("CREATE")

    def change(self, verb="ALTER"):
        """Give the role a new password and end its connections, as a rotation does."""
        self.password = secrets.token_hex(8)
        self._admin.execute(f"{verb} ROLE {self.name} LOGIN PASSWORD '{self.password}'")
        self._admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s",
            [self.name],
        )

    def url(self):
        user = f"postgresql://{self.name}:{self.password}@"
        return user + self._database.partition("@")[2]

    def _ask_for_passwords(self):
        """The test server trusts everybody otherwise, and any password would do."""
        (path,) = self._admin.execute("SHOW hba_file").fetchone()
        with Path(path).open("r+") as file:
            rules = file.read()
            file.seek(0)
            file.write(f"local all {self.name} scram-sha-256\n{rules}")
        self._admin.execute("SELECT pg_reload_conf()")


def works(url):
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def role(postgres, database_url, eventually):
    with psycopg.connect(postgres.get_uri(), autocommit=True) as admin:
        role = Role(admin, database_url)
        wrong = role.url().replace(role.password, "wrong")
        eventually(lambda: not works(wrong))
        yield role
        admin.execute(f"DROP ROLE {role.name}")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "url"


@pytest.fixture
def open_database():
    opened = []

    def open_database(url):
        opened.append(Database(url))
        return opened[-1]

    yield open_database
    for database in opened:
        database.dispose()


def test_a_rotated_password_reaches_a_database_in_use(role, file, open_database):
    """The pool's connections were ended; the next one is made with what the file says now."""
    file.write_text(role.url())
    database = open_database(file)
    database.ping(1.0)
    role.change()
    file.write_text(role.url())

    assert database.ping(1.0) is None


def test_a_url_in_the_environment_is_outlived_by_a_rotation(role, open_database):
    """The negative control: without a file the old password is all that the instance knows."""
    database = open_database(role.url())
    database.ping(1.0)
    role.change()

    with pytest.raises(DatabaseUnreachable, match="password authentication failed"):
        database.ping(1.0)


def test_an_open_connection_outlives_a_change_of_the_file(role, file, open_database):
    """Nothing is torn down because a file changed: only new connections read it."""
    file.write_text(role.url())
    database = open_database(file)
    with database.connect() as connection:
        file.write_text("")

        assert connection.scalar(text("SELECT 1")) == 1


def test_white_space_around_the_url_is_no_part_of_it(database_url, file, open_database):
    """Editors and `echo` end a file with a newline."""
    file.write_text(f"\n  {database_url}\n")

    assert open_database(file).ping(1.0) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"mysql://u:hunter2@localhost/shop", "not one of the form postgresql://"),
        (b"hunter2", "not one of the form postgresql://"),
        (b"postgresql://u:hunter2@localhost:port/shop", "not one of the form postgresql://"),
        (b"hunter2\xff", "it is not text"),
    ],
)
def test_a_file_without_a_url_is_named_with_what_is_wrong(content, reason, file, open_database):
    """And without what it says, which may be a password with a slip of the pen around it."""
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DatabaseUnreachable, match=reason) as refused:
        open_database(file).ping(1.0)

    assert str(file) in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_readiness_says_that_the_file_is_missing(make_app, file, open_database):
    """A secret that was not mounted is found by whoever asks why the instance is not ready."""
    from platform_kit.instance import Instance

    app = make_app(database=open_database(file), schema_oldest="0001")
    checks = Instance.of(app).readiness.checks
    for check in checks:
        check.run()

    expected = f"the database cannot be reached: no URL in {file}: No such file or directory"
    assert [expected, expected] == [check.result().detail for check in checks]


def test_readiness_comes_back_with_the_file(database_url, file, open_database):
    """No restart is needed: the check asks every second."""
    database = open_database(file)
    check = Check("database", lambda: database.ping(1.0) or "answers")
    check.run()
    before = check.result().ok
    file.write_text(database_url)
    check.run()

    assert (before, check.result().ok) == (False, True)


def test_migrations_read_the_file_too(database_url, file):
    """With every connection, as the service does."""
    engine = migration_engine(file, application="test")
    with pytest.raises(DatabaseUnreachable):
        engine.connect()
    file.write_text(database_url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
