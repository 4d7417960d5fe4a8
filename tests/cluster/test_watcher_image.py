"""The watcher in the cluster: its image builds, starts under the restricted standard, and watches."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from helm import Environment
from polling import eventually
from testbed import Cluster
from testbed.failures import PartFailedError

pytestmark = pytest.mark.cluster
BASE_AND_MORE_MB = 260  # seen: 200 above the base, of which Helm 59 and the cluster's client most
POLICY = """
target = "kubernetes"
[kubernetes]
registry = "{0}"
context = "of-a-laptop"
"""


@pytest.fixture
def environment(cluster: Cluster, tmp_path, watcher: str) -> Iterator[Environment]:
    made = Environment(cluster, f"t{secrets.token_hex(3)}", ("product", "auth", "user", "order"))
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY.format(cluster.registry))
    try:
        made.up()
        made.install(
            "deployer", "--wait", "--timeout", "120s", "--set-file", f"policy={policy}",
            "--set", f"image={watcher},environment={made.name}",
        )  # fmt: skip
        yield made
    finally:
        made.down()


def test_the_image_holds_what_is_needed_and_no_more(cluster: Cluster, watcher: str):
    """No code and no tests of the services, no database and no router; a Helm that runs."""
    listed = cluster.run(
        "docker", "run", "--rm", "--entrypoint", "find", watcher, "/app", "-type", "f",
        "-path", "/app/services/*",
    )  # fmt: skip
    helm = cluster.run(
        "docker", "run", "--rm", "--entrypoint", "helm", watcher, "version", "--short"
    )
    size = int(cluster.run("docker", "image", "inspect", watcher, "--format", "{{.Size}}"))
    base = "python:3.11-slim-bookworm"
    below = int(cluster.run("docker", "image", "inspect", base, "--format", "{{.Size}}"))

    names = {line.rpartition("/")[2] for line in listed.splitlines()}
    assert names == {"pyproject.toml", "releases.toml"}
    assert helm.startswith("v3.")
    assert (size - below) / 1e6 < BASE_AND_MORE_MB


def test_it_watches_with_its_own_account(environment: Environment):
    """A context's name in the policy counts for no pod; each look leaves a sign for the probe."""
    kubectl = environment.cluster.kubectl
    space = ("--namespace", environment.platform)

    def looked_at() -> str:
        return kubectl(
            "exec", "deployment/deployer", *space,
            "--", "stat", "--format", "%y", f".deployer/{environment.name}/watching",
        )  # fmt: skip

    def looks() -> str | None:
        try:
            return looked_at()
        except PartFailedError:
            return None  # it has not begun

    assert eventually(looks, seconds=60)
    first = looks()
    status = "jsonpath={.items[*].status.containerStatuses[*].restartCount}"
    pods = ("get", "pods", *space, "--selector", "app.kubernetes.io/name=deployer")

    assert eventually(lambda: looks() not in {None, first})
    assert kubectl(*pods, "--output", status) == "0"
    assert "Error" not in kubectl("logs", "deployment/deployer", *space)


def test_it_may_not_do_what_no_watcher_does(environment: Environment):
    """It runs as nobody in particular, writes nowhere else, and may not read the platform's Secrets."""
    kubectl = environment.cluster.kubectl
    account = f"system:serviceaccount:{environment.platform}:deployer"
    space = ("--namespace", environment.platform)
    inside = ("exec", "deployment/deployer", *space, "--", "sh", "-c")
    may = ("auth", "can-i", "list", "secrets", "--as", account, "--namespace")
    wrote = kubectl(*inside, "id -u; touch /app/x 2>&1 || echo refused; touch /tmp/x && echo wrote")

    assert wrote.splitlines()[0] == "65532"
    assert wrote.splitlines()[-2:] == ["refused", "wrote"]
    assert kubectl(*may, environment.namespace("product")).strip() == "yes"
    assert denied(environment, *may, environment.platform)


def denied(environment: Environment, *words: str) -> bool:
    """Whether kubectl says no, which it does by its exit code too."""
    try:
        environment.cluster.kubectl(*words)
    except PartFailedError as refused:
        return "no" in str(refused)
    return False
