"""PostgreSQL for development, as the chart runs it: roles that see their own database only."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from helm import Environment
from polling import eventually
from testbed import Cluster
from testbed.failures import PartFailedError
from testbed.images import POSTGRES, in_registry

pytestmark = pytest.mark.cluster
SERVICES = ("product", "user")  # one of both is a reserved word in SQL


@pytest.fixture(scope="module")
def environment(cluster: Cluster) -> Iterator[Environment]:
    """An environment with the database of two services, all under the restricted standard."""
    made = Environment(cluster, f"t{secrets.token_hex(3)}", SERVICES)
    try:
        made.up()
        install(made)
        yield made
    finally:
        made.down()


def install(environment: Environment) -> None:
    given = [f"databases.{each}={environment.namespace(each)}" for each in SERVICES]
    image = in_registry(environment.cluster.registry, POSTGRES)
    environment.install("postgresql", "--set", ",".join([f"image={image}", *given]))


def url_of(environment: Environment, service: str) -> str:
    """What the service itself would read."""
    secret = environment.cluster.kubectl(
        "get", "secret", f"{service}-database",
        "--namespace", environment.namespace(service), "--output", "jsonpath={.data.url}",
    )  # fmt: skip
    return base64.b64decode(secret).decode()


def ask(environment: Environment, url: str, query: str, *, database: str = "") -> str:
    """Ask as a client does, by TCP and with the URL's password; which comes by standard input."""
    parts = urlsplit(url)
    wanted = parts._replace(path=f"/{database}").geturl() if database else url
    # By the pod's name for the Service, as from any other pod.
    script = 'read -r url; exec psql --no-psqlrc --quiet --tuples-only --no-align "$url" -c "$0"'
    return environment.cluster.kubectl(
        "exec", "--stdin", "--namespace", environment.platform, "postgresql-0",
        "--", "sh", "-c", script, query, stdin=f"{wanted}\n",
    ).strip()  # fmt: skip


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_owns_its_database(environment: Environment, service: str):
    """By the URL in its Secret, with a role that is no more than its owner."""
    url = url_of(environment, service)
    who = ask(environment, url, "SELECT current_user || ' in ' || current_database()")
    powers = "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication FROM pg_roles"
    powers += " WHERE rolname = current_user"
    ask(environment, url, "CREATE TABLE IF NOT EXISTS seen (i int); INSERT INTO seen VALUES (1)")

    assert who == f"{service} in {service}"
    assert ask(environment, url, powers) == "f|f|f|f"
    assert ask(environment, url, "SELECT count(*) > 0 FROM seen") == "t"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("database", [*SERVICES, "postgres", "template1"])
def test_no_service_reaches_another_database(environment: Environment, service: str, database: str):
    """The other's, and those that PostgreSQL brings; its own is the control."""
    url = url_of(environment, service)
    if database == service:
        assert ask(environment, url, "SELECT 1", database=database) == "1"
        return
    with pytest.raises(PartFailedError) as refused:
        ask(environment, url, "SELECT 1", database=database)

    assert f'permission denied for database "{database}"' in str(refused.value)


def test_an_upgrade_changes_no_password(environment: Environment):
    """And no data: it is what `deployer up` does each time."""
    before = [url_of(environment, each) for each in SERVICES]
    ask(environment, before[0], "CREATE TABLE kept (i int)")
    install(environment)

    assert [url_of(environment, each) for each in SERVICES] == before
    assert ask(environment, before[0], "SELECT count(*) FROM kept") == "0"


def test_a_deleted_secret_is_a_new_password(environment: Environment):
    """Of that service alone; the old one is refused."""
    old, other = (url_of(environment, each) for each in SERVICES)
    namespace = environment.namespace("product")
    environment.cluster.kubectl("delete", "secret", "product-database", "--namespace", namespace)
    install(environment)
    new = url_of(environment, "product")
    with pytest.raises(PartFailedError) as refused:
        ask(environment, old, "SELECT 1")

    assert new != old
    assert ask(environment, new, "SELECT 1") == "1"
    assert "password authentication failed" in str(refused.value)
    assert url_of(environment, "user") == other
    assert ask(environment, other, "SELECT 1") == "1"


def change(environment: Environment, url: str) -> None:
    patch = {"data": {"url": base64.b64encode(url.encode()).decode()}}
    environment.cluster.kubectl(
        "patch", "secret", "product-database", "--namespace", environment.namespace("product"),
        "--patch", json.dumps(patch),
    )  # fmt: skip


def test_a_changed_secret_is_the_password_that_the_role_gets(environment: Environment):
    """Whoever wants a certain one writes it there; one that is too weak is refused, and changes nothing."""
    old = url_of(environment, "product")
    password = urlsplit(old).password or ""
    wanted = secrets.token_hex(16)
    change(environment, old.replace(password, wanted))
    install(environment)
    new = url_of(environment, "product")
    change(environment, old.replace(password, "short"))
    with pytest.raises(PartFailedError) as refused:
        install(environment)
    change(environment, new)

    assert urlsplit(new).password == wanted
    assert ask(environment, new, "SELECT 1") == "1"
    assert "at least 12 letters" in str(refused.value)


def test_passwords_are_in_no_log(environment: Environment):
    """Nor in the pod's specification."""
    kubectl = environment.cluster.kubectl
    space = ("--namespace", environment.platform)
    told = kubectl("logs", "postgresql-0", *space) + kubectl(
        "get", "pods", *space, "--output", "json"
    )
    passwords = [urlsplit(url_of(environment, each)).password or "" for each in SERVICES]

    assert "role and database product are there" in told
    assert all(len(each) >= 32 and each not in told for each in passwords)


def test_a_pod_that_is_made_anew_has_its_roles_and_no_data(environment: Environment):
    """Without a volume the data is the pod's: that is said, and the services find their databases."""
    urls = [url_of(environment, each) for each in SERVICES]
    ask(environment, urls[0], "CREATE TABLE lost (i int)")
    kubectl = environment.cluster.kubectl
    space = ("--namespace", environment.platform)
    kubectl("delete", "pod", "postgresql-0", *space)
    kubectl("rollout", "status", "statefulset/postgresql", *space, "--timeout", "90s")

    assert eventually(lambda: ask(environment, urls[0], "SELECT 1") == "1")
    assert ask(environment, urls[0], "SELECT to_regclass('lost') IS NULL") == "t"
    assert ask(environment, urls[1], "SELECT 1") == "1"
