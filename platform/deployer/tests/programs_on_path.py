"""Programs that say what they are told to: real scripts on a PATH of a test's own."""

from __future__ import annotations

from pathlib import Path


def script(folder: Path, name: str, *, says: str = "", warns: str = "", code: int = 0) -> Path:
    """Put a program into a folder that prints, warns and ends as told."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, text in (("out", says), ("err", warns)):
        (folder / f".{name}.{kind}").write_text(text)
    path = folder / name
    path.write_text(
        f"#!/bin/sh\ncat '{folder}/.{name}.out'\ncat '{folder}/.{name}.err' >&2\n"
        f"echo \"$*\" >> '{folder}/.{name}.asked'\nexit {code}\n"
    )
    path.chmod(0o755)
    return path


def asked(folder: Path, name: str) -> list[str]:
    """What a program of ours was called with, call by call."""
    return (folder / f".{name}.asked").read_text().splitlines()
