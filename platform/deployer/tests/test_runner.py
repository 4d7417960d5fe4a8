"""The runner: what a program printed and how it ended, and programs that outlive us."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from polling import eventually

from deployer import runner
from deployer.runner import TAIL_LINES, Completed

pytestmark = pytest.mark.integration


def python(code: str) -> tuple[str, str, str]:
    return (sys.executable, "-c", code)


def test_a_program_is_run_to_its_end():
    """Both outputs and the exit code come back; a failure is a value."""
    done = runner.run(python("import sys; print('out'); sys.stderr.write('err'); sys.exit(3)"))

    assert (done.code, done.stdout, done.stderr) == (3, "out\n", "err")
    assert done.arguments[0] == sys.executable


def unless(
    interrupted: Callable[[], bool], code: str, *, seconds: float = 20.0, **extra: str
) -> Completed:
    return runner.run_unless(
        interrupted, python(code), cwd=Path.cwd(), environment=extra, timeout_seconds=seconds
    )


def test_a_program_that_nobody_interrupts_comes_to_its_end():
    """Its code and all that it printed come back, with our environment and more."""
    done = unless(
        lambda: False, "import os, sys; print(os.environ['EXTRA']); sys.exit(4)", EXTRA="1"
    )

    assert (done.code, done.tail) == (4, ("1",))


def test_an_interrupted_program_ends_at_once_and_its_children_with_it(tmp_path: Path):
    """Whoever wants something else does not wait, and nothing stays behind."""
    note = tmp_path / "child"
    child = (
        f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid()));"
        " time.sleep(60)"  # it is ended long before
    )
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    done = unless(lambda: note.exists() and note.read_text() != "", parent)

    assert done.code == runner.INTERRUPTED
    assert eventually(lambda: not psutil.pid_exists(int(note.read_text())))


def test_a_program_that_takes_too_long_is_ended_and_says_so():
    """With what it had printed until then."""
    done = unless(
        lambda: False, "import time; print('on it', flush=True); time.sleep(60)", seconds=0.3
    )

    assert done.code == runner.TIMED_OUT
    assert done.tail == ("on it", f"{sys.executable}: no end after 0.3 s")


def test_a_program_that_there_is_not_is_told_as_a_shell_would(tmp_path: Path):
    """Also where it could be interrupted."""
    done = runner.run_unless(
        lambda: False, ("./nothing-here",), cwd=tmp_path, environment={}, timeout_seconds=5
    )

    assert done.code == 127
    assert "nothing-here" in done.stderr


def test_a_program_gets_its_folder_and_our_environment_with_more(tmp_path: Path):
    """What is passed is added, and nothing waits for a keyboard."""
    code = "import os, sys; print(os.getcwd(), os.environ['EXTRA'], 'PATH' in os.environ)"
    done = runner.run(
        python(f"{code}; print(repr(sys.stdin.read()))"), cwd=tmp_path, environment={"EXTRA": "1"}
    )

    assert done.stdout.splitlines() == [f"{tmp_path} 1 True", "''"]


def test_nothing_goes_through_a_shell():
    """An argument stays one word, whatever is in it."""
    done = runner.run((*python("import sys; print(sys.argv[1])"), "$HOME; `ls` *"))

    assert done.stdout == "$HOME; `ls` *\n"


def test_a_missing_program_is_code_127():
    """As a shell would say it, with its name."""
    done = runner.run(("no-such-program-here", "--version"))

    assert (done.code, done.stdout) == (127, "")
    assert "no-such-program-here" in done.stderr


def test_a_program_that_does_not_end_is_code_124(tmp_path: Path):
    """After the time it was given; it is gone then."""
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    began = time.monotonic()
    done = runner.run(python(code), cwd=tmp_path, timeout_seconds=1.5)

    assert done.code == 124
    assert "1.5 s" in done.stderr
    assert time.monotonic() - began < 30
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_output_that_is_no_text_is_no_error():
    """A compiler may print what it likes."""
    done = runner.run(python("import sys; sys.stdout.buffer.write(b'\\xff!')"))

    assert done.stdout == "�!"


def test_the_tail_is_the_last_lines_of_the_errors():
    """Or of the output, where a program keeps to that."""
    lines = [str(number) for number in range(TAIL_LINES + 5)]

    assert Completed((), 1, "out", "\n".join(lines)).tail == tuple(lines[5:])
    assert Completed((), 1, "out\n", " \n").tail == ("out",)
    assert Completed((), 1, "", "").tail == ()


def test_a_spawned_program_writes_to_its_log_in_a_session_of_its_own(tmp_path: Path):
    """A Ctrl-C here does not reach it, and what the log held stays."""
    log = tmp_path / "log"
    log.write_text("before\n")
    code = "import os, sys; print(os.environ['EXTRA'], os.getcwd()); sys.stderr.write('err')"
    pid = runner.spawn(
        python(f"{code}; sys.stdout.flush(); input()"),
        log=log,
        environment={"EXTRA": "1"},
        cwd=tmp_path,
    )
    session = os.getsid(pid)
    assert eventually(lambda: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    runner.reap(pid)

    assert session == pid != os.getsid(0)
    assert log.read_text().startswith("before\n")
    assert f"1 {tmp_path}\n" in log.read_text()
    assert "EOFError" in log.read_text()


def test_reaping_collects_the_dead_and_leaves_the_living(tmp_path: Path):
    """And a process that is nobody's child of ours is no error."""
    pid = runner.spawn(("sleep", "60"), log=tmp_path / "log", environment={}, cwd=tmp_path)
    runner.reap(pid)
    alive = psutil.pid_exists(pid)
    psutil.Process(pid).kill()

    assert alive
    assert eventually(lambda: (runner.reap(pid), not psutil.pid_exists(pid))[1])
    runner.reap(pid)
    runner.reap(1)
