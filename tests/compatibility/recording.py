"""Records what a release answers, and compares a later release's answers with it.

Run as a program against an environment that is up, it writes `recorded/<name>.json`: every call of
the services' stories and of `extra.toml`, with the answer's status and body. What counts later is
the shape: every key that a client could have read is still there, with a value of the same kind.
"""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

import urllib3

from deployer.commands.context import Context, open_context
from deployer.commands.demo.story import Call, Customer, read_call, stories

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"
# Kinds of JSON values; a number stays a number, whether it has a fraction or not.
KINDS = {dict: "object", list: "list", str: "text", bool: "truth", int: "number", float: "number"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call and its answer."""

    service: str
    call: str
    status: int
    content_type: str
    body: object


def exchanges(context: Context) -> tuple[Exchange, ...]:
    """Play every call once, in the stories' order, and return what was answered."""
    router = context.target.router
    customer = Customer(router.public_url, router.internal_url)
    calls = [call for story in stories(context.workspace) for call in story.steps]
    rows = tomllib.loads((HERE / "extra.toml").read_text())["call"]
    calls += [read_call(context.workspace.service(row["call"].split("/")[1]), row) for row in rows]
    with urllib3.PoolManager(retries=False, timeout=10.0) as http:
        return tuple(_exchange(customer, call, http) for call in calls)


def _exchange(customer: Customer, call: Call, http: urllib3.PoolManager) -> Exchange:
    answer = customer.send(call, http)
    if call.save:
        customer.remember(call, answer)
    return Exchange(
        call.service,
        f"{call.method} {call.path}",
        answer.status,
        answer.headers.get("Content-Type", ""),
        _without_secrets(json.loads(answer.data)),
    )


def _without_secrets(body: object) -> object:
    """A token is a credential, even an expired one: only its kind is kept."""
    if isinstance(body, dict):
        return {
            key: "..." if key in {"access_token", "x", "kid"} else _without_secrets(value)
            for key, value in body.items()
        }
    return [_without_secrets(each) for each in body] if isinstance(body, list) else body


def missing(recorded: object, now: object, *, where: str = "body") -> list[str]:
    """Say what a client of the recorded answer would miss in the present one."""
    if KINDS.get(type(recorded)) != KINDS.get(type(now)):
        return [
            f"{where} was {KINDS.get(type(recorded), 'null')}, is {KINDS.get(type(now), 'null')}"
        ]
    if isinstance(recorded, dict) and isinstance(now, dict):
        lost = [f"{where}.{key} is gone" for key in recorded if key not in now]
        kept = (key for key in recorded if key in now)
        return lost + [
            each
            for key in kept
            for each in missing(recorded[key], now[key], where=f"{where}.{key}")
        ]
    if isinstance(recorded, list) and isinstance(now, list) and recorded:
        return missing(recorded[0], now[0], where=f"{where}[0]") if now else [f"{where} is empty"]
    return []


def main() -> None:
    """Record the environment `local` under the name given."""
    found = exchanges(open_context(HERE, "local"))
    path = RECORDED / f"{sys.argv[1]}.json"
    path.write_text(json.dumps([asdict(each) for each in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
