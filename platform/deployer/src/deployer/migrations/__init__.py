"""The deployer's side of schema changes: the lint, the gate, and when a phase may be applied.

`lint` reads SQL and says of every statement what it locks, what it rewrites, and what to write
instead. `gate` proves a service's revisions on a real PostgreSQL. The helpers that revisions are
written with are `platform_kit.migrations`.
"""

from __future__ import annotations

from pathlib import Path


def recorder_path() -> Path:
    """Return the program that a release's own Python runs to write down what its migrations do."""
    return Path(__file__).with_name("recorder.py")
