"""The environment `dev` of a clone, made to fit the cluster that the tests have."""

from __future__ import annotations

import re
from pathlib import Path

from testbed import Cluster

# A rollout that can be waited for: what the analysis needs of requests makes the steps longer.
HOLD_SECONDS = 2


def dressed(clone: Path, cluster: Cluster) -> None:
    """Write the cluster's addresses, and short holds, into the environment's file.

    And have no autoscaler add pods to what is compared: two clients a core keep it busy.
    """
    path = clone / "environments" / "dev.toml"
    wanted = {
        "context": f'"{cluster.context}"',
        "registry": f'"{cluster.registry}"',
        "public_url": f'"{cluster.public_url}"',
        "probe_url": f'"{cluster.internal_url}"',
        "hold_seconds": HOLD_SECONDS,
        "monitor_seconds": HOLD_SECONDS,
        "look_seconds": 0.5,
    }
    text = path.read_text()
    for key, value in wanted.items():
        text, count = re.subn(rf"^{key} = [^#\n]*", f"{key} = {value} ", text, flags=re.MULTILINE)
        assert count == 1, key
    image = f'postgresql_image = "{cluster.registry}/library/postgres:15-bookworm"\n'
    path.write_text(text.replace('database = "chart"', f'{image}database = "chart"'))
    for values in clone.glob("charts/*/values-dev.yaml"):
        text = values.read_text()
        assert "maximum: 2" in text
        values.write_text(text.replace("maximum: 2", "maximum: 1"))
