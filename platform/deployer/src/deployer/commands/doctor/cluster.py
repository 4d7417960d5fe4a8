"""What is looked at for an environment in a cluster: programs, API server, rights, Gateways, registry.

Everything is asked with the identity that a rollout would have, and nothing needs more than that.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from deployer import programs, rights
from deployer.cluster import Cluster, metadata
from deployer.commands.doctor.finding import Finding, looked, unwell
from deployer.environment import Environment
from deployer.errors import DeployerError, OperationError
from deployer.model import ServiceName
from deployer.targets.kubernetes.names import Names

if TYPE_CHECKING:
    from deployer.cluster import Object

OLDEST_SERVER = programs.ProgramVersion(1, 29)  # the preStop action `sleep`; a Lease's fields
GATEWAY_API = "/apis/gateway.networking.k8s.io/v1"
GATEWAYS = ("public", "internal")
PATIENCE_SECONDS = 3.0  # somebody waits for the answer, and asks again
ANSWER_SECONDS = 5.0


def examine(environment: Environment, services: tuple[ServiceName, ...]) -> Iterator[Finding]:
    """Look at all that a rollout of these services needs."""
    yield from _programs()
    yield from looked("registry", partial(_registry, environment))
    try:
        cluster = Cluster.connect(environment.kubernetes.context, patience_seconds=PATIENCE_SECONDS)
        yield _server(cluster)
    except DeployerError as error:
        yield unwell("cluster", error)
        return
    yield from looked("Gateway API", partial(_gateway_api, cluster))
    for gateway in GATEWAYS:
        subject = f"Gateway {gateway}"
        yield from looked(subject, partial(_gateway, cluster, environment, gateway))
    yield from _urls(environment)
    yield from looked("metrics", partial(_metrics, cluster, environment))
    yield from looked("rights", partial(_platform_rights, cluster, environment))
    for service in services:
        yield from looked(service, partial(_service, cluster, environment, service))


def _programs() -> Iterator[Finding]:
    for program in programs.PROGRAMS:
        try:
            yield Finding(program.name, ok=True, text=str(programs.require(program)))
        except OperationError as error:
            if (program, error.code) == (programs.SKAFFOLD, "skaffold-missing"):
                text = "not here, so images are built by docker alone"
                yield Finding(program.name, ok=True, text=text)
            else:
                yield unwell(program.name, error)


def _server(cluster: Cluster) -> Finding:
    told = str((cluster.get("/version") or {}).get("gitVersion", ""))
    version = programs.ProgramVersion.read(told)
    return Finding(
        "cluster",
        version is not None and version.order >= OLDEST_SERVER.order,
        f"Kubernetes {told or 'of no version'} at {cluster.url}",
        hint=f"use a cluster with Kubernetes {OLDEST_SERVER} or later",
    )


def _registry(environment: Environment) -> Iterator[Finding]:
    registry = environment.kubernetes.registry
    if not registry:
        yield Finding(
            "registry",
            ok=False,
            text="none is set",
            hint=f"set `registry` under [kubernetes] in environments/{environment.name}.toml",
        )
        return
    host = registry.partition("/")[0]
    # Docker and containerd speak plain HTTP to loopback addresses only.
    scheme = "http" if host.partition(":")[0] in {"localhost", "127.0.0.1"} else "https"
    status, why = _answer(f"{scheme}://{host}/v2/")
    yield Finding(
        "registry",
        status in {200, 401},  # 401: there, and wants `docker login`
        f"{registry} answers {status}" if status else f"{registry} does not answer: {why}",
        hint="start it, or set another `registry` under [kubernetes]",
    )


def _gateway_api(cluster: Cluster) -> Iterator[Finding]:
    how = "install its CRDs, v1.1 or later: https://gateway-api.sigs.k8s.io/guides/getting-started"
    api = cluster.get(GATEWAY_API) or {"resources": []}
    kinds = {resource["kind"] for resource in api["resources"]}
    lacking = sorted({"Gateway", "HTTPRoute"} - kinds)
    if lacking:
        yield Finding("Gateway API", ok=False, text=f"no {' and no '.join(lacking)} v1", hint=how)
        return
    # The definitions are the cluster's, and a pipeline may not read them; the schema everybody may.
    marks = '"ResponseHeaderModifier"' in cluster.text(f"/openapi/v3{GATEWAY_API}")
    text = "v1" if marks else "its HTTPRoute has no ResponseHeaderModifier"
    yield Finding("Gateway API", marks, text, hint=how)


def _gateway(cluster: Cluster, environment: Environment, name: str) -> Iterator[Finding]:
    subject = f"Gateway {name}"
    namespace = Names.of(environment).platform
    gateway = cluster.get(f"{GATEWAY_API}/namespaces/{namespace}/gateways/{name}")
    if gateway is None:
        text = f"is not in {namespace}"
        yield Finding(subject, ok=False, text=text, hint=_making(environment))
        return
    amiss = [
        f"not {kind}: {why}"
        for kind in ("Accepted", "Programmed")
        if (why := _denial(gateway, kind))
    ]
    yield Finding(
        subject,
        not amiss,
        "; ".join(amiss) or f"accepted and programmed in {namespace}",
        hint=f"see that a controller of the class {gateway['spec']['gatewayClassName']} runs:"
        f" kubectl --namespace {namespace} describe gateway {name}",
    )


def _denial(gateway: Object, kind: str) -> str:
    """Why a condition does not hold; empty where it does."""
    for condition in gateway.get("status", {}).get("conditions", ()):
        if condition["type"] == kind:
            held = condition["status"] == "True"
            return "" if held else str(condition.get("message") or condition.get("reason"))
    return "no controller has said so"


def _urls(environment: Environment) -> Iterator[Finding]:
    policy = environment.kubernetes
    for key, url in (("public_url", policy.public_url), ("probe_url", policy.probe_url)):
        status, why = _answer(url)
        yield Finding(
            key,
            status != 0,  # any answer: there need be no route yet
            f"{url} answers" if status else f"{url} does not answer: {why}",
            hint=f"set `{key}` under [kubernetes] to where the Gateway is reached from here",
        )


def _metrics(cluster: Cluster, environment: Environment) -> Iterator[Finding]:
    policy = environment.kubernetes
    if policy.metrics == "prometheus":
        status, why = _answer(f"{policy.prometheus_url}/api/v1/query?query=vector(1)")
        yield Finding(
            "metrics",
            status == 200,
            f"Prometheus answers {status}" if status else f"Prometheus does not answer: {why}",
            hint="set `prometheus_url` under [kubernetes] to where it is reached from here",
        )
        return
    namespace, router, port = Names.of(environment).router
    page = f"{router}:{port}"
    text = cluster.text(f"/api/v1/namespaces/{namespace}/services/{page}/proxy/metrics")
    yield Finding(
        "metrics",
        "# TYPE " in text,
        f"{namespace}/{page} answers" if text else f"{namespace}/{page} is not there",
        hint="set `router` under [kubernetes] to namespace/Service:port of the router's metrics",
    )


def _platform_rights(cluster: Cluster, environment: Environment) -> Iterator[Finding]:
    namespace = Names.of(environment).platform
    yield _rights(cluster, environment, namespace, rights.GATEWAY_RIGHTS)
    if environment.kubernetes.metrics == "scrape":
        namespace, router, port = Names.of(environment).router
        table = rights.router_rights(f"{router}:{port}")
        yield _rights(cluster, environment, namespace, table)


def _service(cluster: Cluster, environment: Environment, service: ServiceName) -> Iterator[Finding]:
    namespace = Names.of(environment).namespace(service)
    allowed = _rights(cluster, environment, namespace, rights.SERVICE_RIGHTS)
    yield allowed
    if not allowed.ok:
        return  # the looks that follow would say the same again
    found = cluster.get(f"/api/v1/namespaces/{namespace}")
    # By the label a Gateway takes routes from the namespace.
    labels = metadata(found).get("labels", {}) if found else {}
    known = labels.get("deployer/environment") == environment.name
    text = "is there" if known else "is not there" if found is None else "lacks its label"
    yield Finding(f"namespace {namespace}", known, text, hint=_making(environment))
    secret = cluster.get(f"/api/v1/namespaces/{namespace}/secrets/{service}-database")
    yield Finding(
        f"secret {service}-database",
        secret is not None and "url" in secret.get("data", {}),
        f"is in {namespace}" if secret else f"is not in {namespace}, or has no key url",
        hint=_database(environment, namespace, service),
    )


def _rights(
    cluster: Cluster, environment: Environment, namespace: str, table: tuple[rights.Right, ...]
) -> Finding:
    lacking = rights.missing(cluster, namespace, table)
    text = f"may not {rights.summary(lacking)}" if lacking else f"all {rights.count(table)}"
    hint = f"use the identity of that service's pipeline; {_making(environment)}"
    return Finding(f"rights in {namespace}", not lacking, text, hint=hint)


def _making(environment: Environment) -> str:
    return f"deployer up --env {environment.name} makes what is missing"


def _database(environment: Environment, namespace: str, service: ServiceName) -> str:
    if environment.kubernetes.database == "chart":
        return _making(environment)
    return (
        f"kubectl --namespace {namespace} create secret generic {service}-database"
        " --from-file=url=FILE"
    )


def _answer(url: str) -> tuple[int, str]:
    """Ask for a page: its status, or 0 and why there is none."""
    import urllib3  # noqa: PLC0415  # 60 ms that commands without a cluster do not pay

    with urllib3.PoolManager() as pool:
        try:
            return pool.request("GET", url, timeout=ANSWER_SECONDS, retries=False).status, ""
        except urllib3.exceptions.HTTPError as error:
            return 0, str(error)
