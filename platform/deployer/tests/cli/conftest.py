"""The command line in this process, on an environment on paper."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from paper import Paper

from deployer.cli.main import program

Call = Callable[..., Result]


@pytest.fixture
def call() -> Call:
    """Return what a call of the program gives; errors of the program itself are not hidden."""

    def run(*arguments: str, **more: object) -> Result:
        return CliRunner().invoke(program, arguments, **more)  # type: ignore[arg-type]

    return run


@pytest.fixture
def on_paper(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> Paper:
    """Let the commands work on paper, whatever folder they are called in."""
    from deployer.cli import options

    monkeypatch.chdir(paper.root)
    paper.context.__dict__["say"] = options.say
    for module in ("environment", "traffic"):
        monkeypatch.setattr(f"deployer.cli.{module}.open_environment", lambda _name: paper.context)
    return paper
