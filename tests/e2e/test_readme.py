"""The README: its commands are ones that work, against the stack as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deployer.commands.context import Context

pytestmark = pytest.mark.e2e

README = Path(__file__).parents[2] / "README.md"
DEPLOYER = Path(sys.executable).with_name("deployer")
COMMAND = re.compile(r"^\.venv/bin/deployer (.*?)(?: +#.*)?$", re.MULTILINE)
# What would move traffic or stop the stack of the other tests is told, not done; a rollback has
# nowhere to go in a stack that has just come up.
TOLD = {
    "rollout": "--dry-run",
    "down": "--dry-run",
    "rollback": "--help",
    "simulate": "--runs=5",
}


def test_every_command_of_the_readme_works(stack: Context):
    """In the order they stand there, from the folder they are meant for."""
    commands = [found.split() for found in COMMAND.findall(README.read_text())]

    assert {"up", "status", "plan", "rollout", "why", "rollback", "down"} <= {
        c[0] for c in commands
    }
    for words in commands:
        told = [TOLD[words[0]]] if words[0] in TOLD else []
        done = subprocess.run(
            [str(DEPLOYER), *words, *told],
            cwd=stack.workspace.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (words, done.stderr)


def test_the_readme_names_only_folders_that_there_are():
    """Its map is of this checkout."""
    named = re.findall(r"^\| `([\w/]+?)/(?:<name>/)?` \|", README.read_text(), re.MULTILINE)

    assert len(named) >= 8
    assert [name for name in named if not (README.parent / name).is_dir()] == []
