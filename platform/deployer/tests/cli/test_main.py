"""How an error looks: a code, a cause, a hint, an exit code; a traceback only with --debug."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from deployer.cli.main import INTERRUPTED, Program, main, program, tell
from deployer.errors import ConflictError, DeployerError, InputError, OperationError

PROGRAM = Path(sys.executable).with_name("deployer")


def failing(error: BaseException, *arguments: str):
    """Call a program whose one command raises that error."""

    @click.group(cls=Program)
    @click.option("--debug", is_flag=True)
    def group(*, debug: bool) -> None:
        del debug

    @group.command()
    def rollout() -> None:
        raise error

    @group.command()
    def status() -> None:
        raise error

    return CliRunner().invoke(group, arguments or ("rollout",))


@pytest.mark.parametrize(
    ("kind", "code"), [(InputError, 2), (ConflictError, 1), (OperationError, 1)]
)
def test_an_error_is_told_with_code_cause_and_hint(kind: type[DeployerError], code: int):
    """All of it to stderr, a log's lines between; the exit code says who can mend it."""
    error = kind("some-code", "it broke at 5 %", hint="deployer mend", details=("line 1", "line 2"))
    done = failing(error)

    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr == (
        "error[some-code]: it broke at 5 %\n  | line 1\n  | line 2\n\nhint: deployer mend\n"
    )


def test_what_nobody_foresaw_is_one_line_and_says_how_to_see_more():
    """No traceback, whatever the text of it was."""
    done = failing(KeyError("a\nb"))

    assert (done.exit_code, done.stdout) == (1, "")
    first, empty, hint = done.stderr.splitlines()
    assert first.startswith("error[internal]: this should not have happened: KeyError: ")
    assert empty == ""
    assert hint.startswith("hint: ")
    assert "deployer --debug" in hint


@pytest.mark.parametrize(
    ("error", "code"),
    [(InputError("some-code", "it broke", hint="mend it"), 2), (KeyError("lost"), 1)],
)
def test_debug_shows_where_it_broke_and_keeps_the_exit_code(error: Exception, code: int):
    """The traceback first, what to do about it last, where it is seen."""
    done = failing(error, "--debug", "rollout")

    assert done.exit_code == code
    assert "Traceback (most recent call last)" in done.stderr
    assert type(error).__name__ in done.stderr
    assert done.stderr.splitlines()[-1].startswith("hint: ")


def test_debug_of_one_call_is_not_remembered_by_the_next():
    """Each call in a process is its own."""
    failing(KeyError("lost"), "--debug", "rollout")

    assert "Traceback" not in failing(KeyError("lost")).stderr


def test_ctrl_c_says_how_to_go_on():
    """130, as a shell has it, and the commands that go on or take it back."""
    done = failing(KeyboardInterrupt())

    assert done.exit_code == INTERRUPTED == 130
    assert "error[interrupted]: stopped by Ctrl-C" in done.stderr
    assert "deployer resume SERVICE" in done.stderr
    assert "deployer rollback SERVICE" in done.stderr


def test_ctrl_c_of_what_only_looks_leaves_nothing_half_done():
    """And says so."""
    done = failing(KeyboardInterrupt(), "status")

    assert done.exit_code == INTERRUPTED
    assert "nothing was left half done" in done.stderr


@pytest.mark.parametrize("error", [click.BadParameter("no"), click.Abort(), BrokenPipeError(32)])
def test_clicks_own_ends_are_left_to_click(error: BaseException):
    """They are no errors of ours."""
    done = failing(error)

    assert done.exit_code in {1, 2}
    assert "error[" not in done.stderr


def test_an_interrupted_program_does_not_wait_for_its_threads(monkeypatch: pytest.MonkeyPatch):
    """The interpreter would wait for a rollout's end."""
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    # By its module: the package has a function of that name.
    monkeypatch.setattr(sys.modules[main.__module__], "program", lambda: sys.exit(INTERRUPTED))
    with pytest.raises(SystemExit):
        main()

    assert ended == [INTERRUPTED]


def test_any_other_end_is_the_interpreters(monkeypatch: pytest.MonkeyPatch):
    """So that what is open is closed."""
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(sys.modules[main.__module__], "program", lambda: sys.exit(2))
    with pytest.raises(SystemExit) as end:
        main()

    assert (end.value.code, ended) == (2, [])


@pytest.mark.parametrize("name", ["status", "plan", "rollout", "why", "doctor"])
def test_a_folder_that_is_no_checkout_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    """By every command, before anything else."""
    monkeypatch.chdir(tmp_path)
    arguments = (name,) if name in {"status", "doctor"} else (name, "product")
    done = CliRunner().invoke(program, arguments)

    if name == "doctor":
        assert done.exit_code == 1
        assert "no  environment: " in done.stdout
    else:
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.startswith("error[not-a-workspace]: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("rollout",),
        ("rollout", "product", "--set", "NOVALUE"),
        ("why", "product", "--last", "0"),
        ("status", "--nonsense"),
    ],
)
def test_a_misused_option_or_argument_is_exit_2(arguments: tuple[str, ...]):
    """With how it is used, to stderr."""
    repository = Path(__file__).parents[4]
    runner = CliRunner()
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(repository)
        done = runner.invoke(program, arguments)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "Usage:" in done.stderr


def test_an_environment_that_is_missing_is_named_with_those_there_are(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
):
    """By option or by variable."""
    monkeypatch.chdir(checkout)
    by_option = CliRunner().invoke(program, ["status", "--env", "locl"])
    by_variable = CliRunner().invoke(program, ["status"], env={"DEPLOYER_ENV": "locl"})

    assert by_option.exit_code == by_variable.exit_code == 2
    assert by_option.stderr == by_variable.stderr
    assert by_option.stderr.startswith("error[environment-missing]: there is no environment 'locl'")
    assert "hint: use --env local" in by_option.stderr


def test_help_names_every_command_with_a_sentence():
    """A command appears when what it does is there; none is a stub."""
    done = CliRunner().invoke(program, ["-h"])

    assert done.exit_code == 0
    for name, command in program.commands.items():
        assert f"\n  {name} " in done.stdout
        assert command.help
        assert command.help.splitlines()[0].endswith((".", "!"))


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch):
    """A pipe gets none; the words are the same."""

    @click.command()
    def show() -> None:
        tell(InputError("some-code", "it broke", hint="mend it", details=("a line",)))

    plain = CliRunner().invoke(show).stderr
    coloured = CliRunner().invoke(show, color=True).stderr

    assert "\x1b" not in plain
    assert "\x1b[31m" in coloured
    assert click.unstyle(coloured) == plain


def test_the_real_program_honours_no_color_and_separates_talk_from_data(tmp_path: Path):
    """Run as it is installed, in a folder that is no checkout."""
    environment = {**os.environ, "NO_COLOR": "1", "FORCE_COLOR": ""}
    done = subprocess.run(
        (PROGRAM, "status", "--json"),
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error[not-a-workspace]: ")
    assert "\x1b" not in done.stderr
    assert "\nhint: cd into the checkout" in done.stderr
