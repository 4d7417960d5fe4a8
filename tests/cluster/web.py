"""Two small web servers behind one route: what the tests of the cluster itself send requests to."""

from __future__ import annotations

NAMESPACE = "testbed-web"
ROUTE = "web"
GATEWAY = "gateway.networking.k8s.io/v1"
PROGRAM = """
import http.server, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{sys.argv[1]} {self.path}".encode()
        head = f"HTTP/1.1 200 OK\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n".encode()
        self.wfile.write(head + body)  # at once: two writes wait for an acknowledgement in between

print("serving", flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""
RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONFINED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
STANDARD = "pod-security.kubernetes.io/enforce"


def namespace() -> dict[str, object]:
    """Return the namespace, whose pods must keep to the restricted standard."""
    metadata = {"name": NAMESPACE, "labels": {STANDARD: "restricted"}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def server(name: str, image: str) -> list[dict[str, object]]:
    """Return a server that answers with its name and the path, and its Service."""
    labels = {"app": name}
    container = {
        "name": "server",
        "image": image,
        "command": ["python", "-c", PROGRAM, name],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}},
        "securityContext": CONFINED,
    }
    pod = {
        "securityContext": RESTRICTED,
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    deployment = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return [
        _object("apps/v1", "Deployment", name, deployment),
        _object("v1", "Service", name, {"selector": labels, "ports": ports}),
    ]


def gateway(name: str, port: int) -> dict[str, object]:
    """Return a Gateway on one of the router's ports."""
    listener = {"name": "http", "port": port, "protocol": "HTTP"}
    return _object(
        GATEWAY, "Gateway", name, {"gatewayClassName": "traefik", "listeners": [listener]}
    )


def route(weights: dict[str, int]) -> dict[str, object]:
    """Return the route from `/web` to the servers, by weight."""
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/web"}}],
        "filters": [{"type": "URLRewrite", "urlRewrite": rewrite}],
        "backendRefs": [
            {"name": name, "port": 80, "weight": weight} for name, weight in weights.items()
        ],
    }
    parents = [{"name": "web-public"}, {"name": "web-internal"}]
    return _object(GATEWAY, "HTTPRoute", ROUTE, {"parentRefs": parents, "rules": [rule]})


def autoscaler(name: str) -> dict[str, object]:
    """Return an autoscaler on a server's use of the processor."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    spec = {
        "scaleTargetRef": target,
        "minReplicas": 1,
        "maxReplicas": 2,
        "metrics": [{"type": "Resource", "resource": cpu}],
    }
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", name, spec)


def _object(version: str, kind: str, name: str, spec: dict[str, object]) -> dict[str, object]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
