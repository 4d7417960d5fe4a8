"""The images as containers: what is in them, and how one starts, serves and stops, with PostgreSQL beside it."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from cluster.calling import Programs, Said
from deployment.services import ROOT, SERVICES, project
from testbed.addresses import LOOPBACK

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

pytestmark = pytest.mark.cluster

BASE = "python:3.11-slim-bookworm"
POSTGRES = "postgres:15-bookworm"
MEGABYTE = 1_000_000
ABOVE_BASE_MB = 150
MEMORY_MB = 130
READY_SECONDS = 6.0
DEADLINE_SECONDS = 60.0
# Longer than it takes to say stop, shorter than the drain.
SLOW_SECONDS = 3
START_POSTGRES = """
initdb --pgdata=/tmp/data --username=postgres --auth=trust > /dev/null
echo 'host all all all trust' >> /tmp/data/pg_hba.conf
exec postgres -D /tmp/data -c listen_addresses='*' -c unix_socket_directories=/tmp -c fsync=off
"""
# As a pod has it: a read-only root, no capability, no new privilege.
CONFINED = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "mem_limit": "256m",
}


@dataclass(frozen=True)
class Container:
    """A running container and the ports on this machine that lead to it."""

    inner: DockerContainer
    began: float

    @property
    def engine(self) -> Any:
        """Return it as the engine's client has it, as it is now."""
        wrapped = self.inner.get_wrapped_container()
        wrapped.reload()
        return wrapped

    def get(self, path: str, *, port: int = 9000, seconds: float = 10.0) -> Any:
        """Ask over HTTP; return the status and the body."""
        url = f"http://{LOOPBACK}:{self.inner.get_exposed_port(port)}{path}"
        answer = urllib3.request("GET", url, retries=False, timeout=seconds)
        return answer.status, answer.data.decode()

    def ready(self) -> bool:
        """Say whether it is; fail when it has ended."""
        assert self.engine.status == "running", self.engine.logs()
        try:
            return bool(self.get("/ready")[0] == 200)
        except urllib3.exceptions.HTTPError:
            return False

    def succeeds(self, *command: str) -> str | None:
        """Run a command in it; return what it printed, or None when it failed."""
        code, said = self.engine.exec_run(list(command))
        return said.decode() if code == 0 else None

    def exit_code(self) -> int:
        """Wait for its end and return with which code that was."""
        return int(self.engine.wait(timeout=DEADLINE_SECONDS)["StatusCode"])


def eventually(claim: Callable[[], Any], *, seconds: float = DEADLINE_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := claim()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return value


@pytest.fixture(scope="module")
def docker(cluster) -> Callable[..., Said]:
    programs = Programs(cluster.environment, ROOT)

    def docker(*words: object, stdin: str | None = None) -> Said:
        return programs("docker", *words, stdin=stdin, seconds=1800)

    return docker


@pytest.fixture(scope="module")
def image(docker) -> Callable[[str], str]:
    """Build a service's image, once, and return its name."""
    built: dict[str, str] = {}

    def image(service: str) -> str:
        if service not in built:
            name = f"images-test/{service}"
            file = f"services/{service}/Dockerfile"
            labels = ("--build-arg", "VERSION=1.2.3", "--build-arg", "REVISION=abc")
            docker("build", "--file", file, "--tag", name, *labels, ".").taken()
            built[service] = name
        return built[service]

    return image


@pytest.fixture
def run(equipped) -> Iterator[Callable[..., Container]]:
    """Start a container in the background; it is gone after the test."""
    # Of the cluster's environment only; the others collect this file, too.
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer

    # Its reaper is an image of its own; here every container is removed by who started it.
    testcontainers_config.ryuk_disabled = True
    started: list[DockerContainer] = []

    def run(image: str, *, ports: tuple[int, ...] = (), **settings: Any) -> Container:
        inner = DockerContainer(image, **settings)
        inner.ports.update({str(port): (LOOPBACK, None) for port in ports})
        began = time.monotonic()
        started.append(inner)
        return Container(inner.start(), began)

    yield run
    for inner in started:
        inner.stop()


@pytest.fixture(scope="module")
def postgres_image(cluster, docker) -> str:
    """Return where PostgreSQL comes from: the cluster's registry, where that has a stand-in for it."""
    stand_in = f"{cluster.registry}/library/{POSTGRES}"
    return stand_in if docker("pull", "--quiet", stand_in).code == 0 else POSTGRES


@pytest.fixture
def database(run, postgres_image, tmp_path) -> Path:
    """Have PostgreSQL in a container, and the file with its URL as a secret is mounted."""
    server = run(postgres_image, user="999", entrypoint=["sh"], command=["-ec", START_POSTGRES])
    ask = ("pg_isready", "--host=127.0.0.1", "--username=postgres")
    eventually(lambda: server.succeeds(*ask))
    networks = server.engine.attrs["NetworkSettings"]["Networks"]
    address = next(iter(networks.values()))["IPAddress"]
    folder = tmp_path / "secret"
    folder.mkdir(mode=0o755)
    (folder / "url").write_text(f"postgresql://postgres@{address}:5432/postgres\n")
    return folder


@pytest.fixture
def instance(run, image, database) -> Callable[..., Container]:
    """Migrate with a service's image, then start an instance from it and wait until it is ready."""

    def instance(service: str, **environment: object) -> Container:
        prefix = service.upper()
        given = {
            f"{prefix}_DATABASE_URL_FILE": "/run/secrets/database/url",
            f"{prefix}_ROUTER_URL": "http://127.0.0.1:9",
            "PLATFORM_HOST": "0.0.0.0",
            "MALLOC_ARENA_MAX": "2",
            "MALLOC_MMAP_THRESHOLD_": "1048576",
            **environment,
        }
        within = {
            **CONFINED,
            "env": {name: str(value) for name, value in given.items()},
            "volumes": [(str(database), "/run/secrets/database", "ro")],
        }
        program = ["-m", "platform_kit.migrations", service, "--phase", "expand"]
        migrating = run(image(service), entrypoint=["python"], command=program, **within)
        assert migrating.exit_code() == 0, migrating.engine.logs()
        assert json.loads(migrating.engine.logs(stderr=False))["service"] == service
        started = run(image(service), ports=(8000, 9000), **within)
        eventually(started.ready)
        return started

    return instance


def size(docker, name):
    return int(docker("inspect", "--format", "{{.Size}}", name).taken())


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_adds_little_to_its_base(docker, image, service):
    """Dependencies, and two small wheels: no compiler, no cache, no pip."""
    above = size(docker, image(service)) - size(docker, BASE)

    assert 0 < above <= ABOVE_BASE_MB * MEGABYTE


def test_an_image_says_what_it_is(docker, image):
    """By the labels that registries and scanners read."""
    labels = json.loads(
        docker("inspect", "--format", "{{json .Config.Labels}}", image("product")).taken()
    )

    assert labels == {
        "org.opencontainers.image.title": "product",
        "org.opencontainers.image.version": "1.2.3",
        "org.opencontainers.image.revision": "abc",
    }


@pytest.mark.parametrize("module", ["pip", "hatchling", "pytest"])
def test_what_only_a_build_needs_is_not_in_the_environment(docker, image, module):
    """Nothing can be installed into a running container."""
    said = docker("run", "--rm", "--entrypoint=python", image("product"), "-m", module)

    assert f"No module named {module}" in said.err


def test_other_services_and_sources_are_not_in_an_image(docker, image):
    """Only the service's own package, with its migrations."""
    program = (
        "import importlib.util as u, product, pathlib;"
        "print([n for n in ('auth', 'user', 'order', 'deployer') if u.find_spec(n)],"
        " (pathlib.Path(product.__file__).parent / 'migrations' / 'env.py').is_file(),"
        " sorted(str(p) for p in pathlib.Path('/srv').iterdir()))"
    )
    said = docker("run", "--rm", "--entrypoint=python", image("product"), "-c", program)

    assert said.taken().strip() == "[] True []"


def test_nothing_else_is_sent_to_the_engine(docker):
    """As the engine sees the context: sources, histories of schemas, what is declared; no test and no state."""
    text = f"FROM {BASE}\nCOPY . /context\nRUN cd /context && find . -type f\n"
    said = docker("build", "--no-cache", "--file", "-", ".", stdin=text)
    sent = re.findall(r"^\./(\S+)$", said.taken(), re.MULTILINE)
    wanted = re.compile(
        r"constraints\.txt|(charts|environments)/.+|migrations/.+\.(py|toml)"
        r"|(platform|services)/[a-z]+/(src/.+|[A-Za-z]+|pyproject\.toml|releases\.toml|flags\.json|openapi/.+)"
    )

    assert f"services/{SERVICES[0]}/src/{SERVICES[0]}/app.py" in sent
    assert [path for path in sent if not wanted.fullmatch(path) or "__pycache__" in path] == []


def test_a_changed_line_builds_no_dependency_anew(docker, image, tmp_path):
    """Of the layers with the dependencies every one comes from the cache."""
    image("product")
    for path in ("platform/kit", "services/product", "migrations/product", "constraints.txt"):
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        kept = shutil.ignore_patterns("__pycache__", "tests")
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, target, ignore=kept)
        else:
            shutil.copy2(ROOT / path, target)
    with (tmp_path / "services/product/src/product/app.py").open("a") as file:
        file.write(f"\n# {secrets.token_hex(8)}\n")
    version = tmp_path / "services/product/pyproject.toml"
    version.write_text(
        version.read_text().replace(project("product")["project"]["version"], "9.9.9")
    )
    name = "images-test/product-changed"
    said = docker(
        "build", "--file", tmp_path / "services/product/Dockerfile", "--tag", name, tmp_path
    )
    docker("rmi", "--no-prune", name)
    steps = re.split(r"^Step \d+/\d+ : ", said.taken(), flags=re.MULTILINE)
    fetching = [step for step in steps if "--requirement requirements.txt" in step]

    assert [("Using cache" in step) for step in fetching] == [True]
    assert "Using cache" not in next(step for step in steps if "./platform/kit" in step)


@pytest.mark.parametrize("service", SERVICES)
def test_an_instance_is_ready_in_seconds(instance, service):
    """From the call of the engine. Once in three times is enough: the machine may do something else meanwhile."""

    def took():
        running = instance(service)
        return time.monotonic() - running.began

    assert any(took() <= READY_SECONDS for _ in range(3))


@pytest.mark.parametrize("service", SERVICES)
def test_an_instance_serves_from_an_image_that_it_cannot_change(instance, service):
    """As nobody, on a read-only file system, in little memory."""
    running = instance(service)
    status, body = running.get("/api", port=8000)
    written = running.succeeds("touch", "/srv/file", "/opt/venv/file")
    user = running.succeeds("python", "-c", "import os; print(os.getuid(), os.getgid())")
    share = next(
        float(line.rpartition(" ")[2])
        for line in running.get("/metrics")[1].splitlines()
        if line.startswith("process_memory_share")
    )

    assert (status, json.loads(body)["service"]) == (200, service)
    assert (written, user) == (None, "10001 10001\n")
    assert share * 256 <= MEMORY_MB


def slow_answer(running):
    return running.get("/api", port=8000, seconds=30.0)[0]


def is_asked(running):
    """Say whether the request is being answered."""
    return re.search(
        r"^http_requests_in_flight(\{.*\})? 1", running.get("/metrics")[1], re.MULTILINE
    )


SLOW = {"PLATFORM_FAULTS_ALLOWED": "true", "PLATFORM_FAULT_LATENCY_SECONDS": SLOW_SECONDS}


def test_a_stop_finishes_what_is_in_flight(instance):
    """SIGTERM reaches the master, the request its answer, and the container ends with 0."""
    running = instance("product", **SLOW)
    with ThreadPoolExecutor(1) as client:
        asked = client.submit(slow_answer, running)
        eventually(lambda: is_asked(running))
        running.engine.stop(timeout=40)

        assert asked.result() == 200
    assert running.exit_code() == 0


def test_a_kill_loses_what_is_in_flight(instance):
    """The negative control: the request was there to be lost."""
    running = instance("product", **SLOW)
    with ThreadPoolExecutor(1) as client:
        asked = client.submit(slow_answer, running)
        eventually(lambda: is_asked(running))
        running.engine.kill()

        with pytest.raises(urllib3.exceptions.HTTPError):
            asked.result()
    assert running.exit_code() == 137
