"""The environment under another rollout policy for a while: short holds, another strategy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from deployer.commands.context import Context, open_context

# Enough to walk through every phase; what the analysis needs of requests makes it a few seconds.
SHORT: dict[str, object] = {
    "weights": [50, 100],
    "hold_seconds": 0.5,
    "monitor_seconds": 0.5,
    "look_seconds": 0.2,
}


@contextmanager
def policy(context: Context, **rollout: object) -> Iterator[Context]:
    """Write keys of `[rollout]` into the environment's file, and give the environment as it is then.

    Other processes read the same file. It is as before afterwards.
    """
    path = context.workspace.environments / f"{context.environment.name}.toml"
    before = text = path.read_text()
    for key in rollout:
        text = re.sub(rf"^{key} = .*\n", "", text, flags=re.MULTILINE)
    keys = "".join(f"{key} = {json.dumps(value)}\n" for key, value in rollout.items())
    assert "[rollout]\n" in text
    path.write_text(text.replace("[rollout]\n", f"[rollout]\n{keys}"))
    try:
        yield open_context(context.workspace.root, context.environment.name)
    finally:
        path.write_text(before)
