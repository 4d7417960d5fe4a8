"""Calls the services' hooks: a command in the service's folder, or a POST to a URL.

Both are told the same: the point, the service, the versions, the weight. A command by variables of
its environment (`DEPLOYER_POINT`, ...), a URL by a JSON object with the same words in small letters.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from deployer import runner
from deployer.commands.context import Context
from deployer.engine import Hook, Rollout
from deployer.errors import OperationError
from deployer.targets import Interrupted, InterruptedWait

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ServiceHooks:
    """A HookCaller for the services of one environment."""

    context: Context

    def call(self, hook: Hook, rollout: Rollout, *, interrupted: Interrupted) -> tuple[str, ...]:
        """Call it and return the last lines that it said; raise OperationError `hook-failed`."""
        facts = self._facts(hook, rollout)
        if hook.url:
            return _post(hook, facts, interrupted)
        done = runner.run_unless(
            interrupted,
            hook.command,
            cwd=self.context.workspace.folder(rollout.order.service),
            environment={f"DEPLOYER_{name.upper()}": value for name, value in facts.items()},
            timeout_seconds=hook.timeout_seconds,
        )
        if done.code == runner.INTERRUPTED and interrupted():
            raise InterruptedWait
        if done.code != 0:
            raise _failure(hook, f"ended with code {done.code}", details=done.tail)
        return done.tail

    def _facts(self, hook: Hook, rollout: Rollout) -> dict[str, str]:
        order, target = rollout.order, self.context.target
        return {
            "point": hook.point,
            "environment": self.context.environment.name,
            "service": order.service,
            "candidate": order.candidate.version,
            "live": order.live.version if order.live else "",
            "weight": str(rollout.weight),
            "public_url": target.public_url,
            "internal_url": target.internal_url,
        }


def _post(hook: Hook, facts: Mapping[str, str], interrupted: Interrupted) -> tuple[str, ...]:
    """POST in a thread of its own: an answer that does not come must not keep an abort waiting."""
    answers: list[tuple[int, str]] = []
    thread = threading.Thread(target=_ask, args=(hook, facts, answers), daemon=True)
    thread.start()
    while thread.is_alive():
        if interrupted():
            raise InterruptedWait
        thread.join(POLL_SECONDS)
    status, text = answers[0]
    lines = tuple(text.splitlines()[-runner.TAIL_LINES :])
    if not 200 <= status < 300:
        raise _failure(hook, f"answered {status}" if status else "did not answer", details=lines)
    return lines


def _ask(hook: Hook, facts: Mapping[str, str], answers: list[tuple[int, str]]) -> None:
    import urllib3  # noqa: PLC0415  # 60 ms that only a hook needs

    try:
        answer = urllib3.request(
            "POST",
            hook.url,
            body=json.dumps(facts),
            headers={"Content-Type": "application/json"},
            retries=False,
            timeout=hook.timeout_seconds,
        )
    except urllib3.exceptions.HTTPError as error:
        answers.append((0, str(error)))
    else:
        answers.append((answer.status, answer.data.decode("utf-8", "replace")))


def _failure(hook: Hook, how: str, *, details: tuple[str, ...]) -> OperationError:
    name = hook.url or " ".join(hook.command)
    return OperationError(
        "hook-failed",
        f"the hook {name} ({hook.point}) {how}",
        hint="mend what it says, or take it out of [[tool.deployer.hooks]]",
        details=details,
    )
