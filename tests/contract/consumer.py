"""A consumer's side of a contract: what it expects of a provider, said where its real client is tested.

An expectation is a function that describes one interaction, yields, is sent a client of Pact's mock
provider, and calls it: the way of a fixture. One of a message is sent what the consumer makes of it.
All expectations of a provider together are the contract, a Pact file (version 4 of the specification)
in `services/<consumer>/contracts/`. It does not depend on which tests ran, nor in which order.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from pact import Pact

SERVICES = Path(__file__).parents[2] / "services"

Client = TypeVar("Client")
Expectation = Callable[[Pact], Generator[None, Client, None]]
Connect = Callable[[str], AbstractContextManager[Client]]


def play(
    consumer: str, provider: str, expectation: Expectation[Client], connect: Connect[Client]
) -> None:
    """Let the expectation call a mock of the provider; raise if it asks for anything else, or not at all.

    `connect` makes a client of a URL, which stands where the router's would.
    """
    pact = Pact(consumer, provider)
    steps = expectation(pact)
    next(steps)
    with pact.serve("127.0.0.1") as mock, connect(str(mock.url)) as client:
        _send(steps, client)


def receive(
    consumer: str, provider: str, expectation: Expectation[Any], take: Callable[[Any], object]
) -> None:
    """Let the expectation look at what the consumer makes of a message: `take` is given its content."""
    pact = Pact(consumer, provider)
    steps = expectation(pact)
    next(steps)
    pact.verify(lambda content, _: _send(steps, take(json.loads(content or ""))), "Async")


def contract(
    consumer: str,
    provider: str,
    expectations: Sequence[Expectation[Any]],
    *,
    write: bool,
    services: Path = SERVICES,
) -> tuple[str, str]:
    """Return the contract that is kept and the one that these expectations make; `write` keeps the latter."""
    made = _made(Pact(consumer, provider), expectations)
    path = services / consumer / "contracts" / f"{consumer}-{provider}.json"
    if write:
        path.parent.mkdir(exist_ok=True)
        path.write_text(made, encoding="utf-8")
    return path.read_text(encoding="utf-8"), made


def text(example: str, *, regex: str) -> dict[str, object]:
    """Match a text of a form; `match.regex` alone takes a number too, if its digits fit.

    The same as `match.str(...) & match.regex(...)`, which loses its example in pact-python 4.2.
    """
    kinds = [{"pact:matcher:type": "type"}, {"pact:matcher:type": "regex", "regex": regex}]
    return {"pact:matcher:type": kinds, "value": example}


def _send(steps: Generator[None, Client, None], client: Client) -> None:
    try:
        steps.send(client)
    except StopIteration:
        return
    raise AssertionError("an expectation yields once")


def _made(pact: Pact, expectations: Sequence[Expectation[Any]]) -> str:
    for expectation in expectations:
        steps = expectation(pact)
        next(steps)
        steps.close()
    with tempfile.TemporaryDirectory() as folder:
        pact.write_file(folder)
        (file,) = Path(folder).iterdir()
        made = json.loads(file.read_text(encoding="utf-8"))
    del made["metadata"]["pactRust"]  # the library's version: a newer one expects nothing else
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"
