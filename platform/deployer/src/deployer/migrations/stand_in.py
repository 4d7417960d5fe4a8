"""Let an older release's tests make their schema with a newer release's migrations.

A copy of this file lies in the virtual environment that the tests run in, and is imported when its
Python starts. A start of the kit's runner, `python -m platform_kit.migrations ...`, becomes one of
the newer release's runner, whatever the tests do before and after; everything else is left alone.
So it works for releases that knew nothing of it.
"""

import os
import sys
from pathlib import Path

NEWER = "MIGRATIONS_PYTHON"  # the interpreter of the newer release
NOTE = "MIGRATIONS_NOTE"  # a file that says that it was really used
RUNNER = ["-m", "platform_kit.migrations"]

if NEWER in os.environ and sys.orig_argv[1:3] == RUNNER:
    with Path(os.environ[NOTE]).open("a", encoding="utf-8") as note:
        note.write(" ".join(sys.orig_argv[3:]) + "\n")
    newer = os.environ.pop(NEWER)
    os.execv(newer, [newer, *sys.orig_argv[1:]])  # noqa: S606  # no shell is wanted
