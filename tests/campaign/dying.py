"""A deployer that dies, or falls asleep, at a named moment of a rollout.

`python dying.py FOLDER ENVIRONMENT rollout|rollback SIGNAL MOMENT`. The moments are those before and after each
write to the ledger and each action of the target; looks that follow each other count as one. With
the moment `never` it comes to its end and prints the moments that it passed, as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from deployer.commands.context import open_context
from deployer.commands.release import Wanted
from deployer.commands.rollback import rollback
from deployer.commands.rollout import rollout
from deployer.model import ServiceName
from deployer.releases import Version

WRITES = ("append", "finish")
ACTIONS = ("migrate", "scale", "smoke", "shift", "promote", "retire")
PRODUCT, NEW = ServiceName("product"), Version(1, 3, 0)


class Fate:
    """Names the moments as they pass, and sends a signal to its own process at one of them."""

    def __init__(self, moment: str, *, sends: signal.Signals) -> None:
        self.passed: list[str] = []
        self._moment = moment
        self._sends = sends
        self._counts: Counter[str] = Counter()
        self._last = ""

    def watch(self, thing: object, names: tuple[str, ...]) -> None:
        """Have every call of these methods pass two moments."""
        for name in names:
            setattr(thing, name, self._around(name, getattr(thing, name)))

    def _around(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        def watched(*arguments: object, **more: object) -> object:
            kinds = [getattr(each, "kind", None) for each in arguments]
            what = " ".join([name, *(kind for kind in kinds if kind)])
            again = what == self._last == "append looked"
            self._last = what
            if not again:
                self._counts[what] += 1
                self._pass(f"before {what} {self._counts[what]}")
            result = call(*arguments, **more)
            if not again:
                self._pass(f"after {what} {self._counts[what]}")
            return result

        return watched

    def _pass(self, moment: str) -> None:
        self.passed.append(moment)
        if moment == self._moment:
            os.kill(os.getpid(), self._sends)


def main(folder: str, environment: str, verb: str, sends: str, moment: str) -> None:
    """Carry the rollout or rollback as far as fate allows."""
    context = open_context(Path(folder), environment)
    fate = Fate(moment, sends=signal.Signals[sends])
    fate.watch(context.ledger, WRITES)
    fate.watch(context.target, ACTIONS)
    if verb == "rollout":
        rollout(context, [Wanted(PRODUCT, NEW)])
    else:
        rollback(context, PRODUCT)
    sys.stdout.write(json.dumps(fate.passed))


if __name__ == "__main__":
    main(*sys.argv[1:])
