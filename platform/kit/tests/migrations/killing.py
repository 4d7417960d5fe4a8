"""The migration program, killed by SIGKILL before its n-th statement or commit: `killing.py FILE shop --phase expand`.

Reads jobs from stdin, a line each, `URL N`, and answers each with a line: `killed`, or `done` when there were fewer. It forks for
every job, as an interpreter's start takes longer than most runs.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from sqlalchemy import Engine, event

from platform_kit.migrations.__main__ import main


def kill_before(number: int) -> None:
    """Count what SQLAlchemy sends, and end the process before one of it."""
    sent = 0

    def count(*_: object) -> None:
        nonlocal sent
        if threading.current_thread() is not threading.main_thread():
            return  # the probe's writes: they come when they come
        sent += 1
        if sent == number:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", count)
    event.listen(Engine, "commit", count)


def run(url: str, number: int, arguments: list[str]) -> None:
    """Be the program that is killed."""
    os.environ["SHOP_DATABASE_URL"] = url
    kill_before(number)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    main(arguments)
    os._exit(0)


for line in sys.stdin:
    url, number = line.split()
    child = os.fork()
    if child == 0:
        try:
            run(url, int(number), sys.argv[1:])
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    ended = {-signal.SIGKILL: "killed", 0: "done"}.get(os.waitstatus_to_exitcode(status), "failed")
    sys.stdout.write(ended + "\n")
    sys.stdout.flush()
