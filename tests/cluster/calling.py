"""Programs called in a test: what they said, and whether they took it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Said:
    """How a program ended."""

    code: int
    out: str
    err: str

    def taken(self) -> str:
        """Return what it printed; fail when it refused."""
        assert self.code == 0, self.out + self.err
        return self.out


@dataclass(frozen=True, slots=True)
class Programs:
    """Calls programs with the cluster's environment, from a folder."""

    environment: Mapping[str, str]
    folder: Path

    def __call__(self, *words: object, stdin: str | None = None, seconds: float = 600) -> Said:
        """Run a program to its end."""
        done = subprocess.run(
            [str(word) for word in words],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**os.environ, **self.environment},
            timeout=seconds,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)
