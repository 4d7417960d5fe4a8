"""Logs: one JSON object a line on stderr, an event in the past tense with its keys.

The service's own events go through structlog; gunicorn's go through the standard library and get the same
keys from `JsonFormatter`, so that the gunicorn master writes the same lines without importing structlog.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from threading import Event

    from structlog.stdlib import BoundLogger
    from structlog.typing import EventDict, WrappedLogger

    from platform_kit.settings import InstanceSettings

# What every line carries that is written while a request is answered. structlog's own context
# looks at each variable of the thread's, which takes longer than all else of a line.
carried: ContextVar[Mapping[str, str]] = ContextVar("carried", default=MappingProxyType({}))

# What a process that is killed may leave unsaid.
HELD_SECONDS = 0.1
# In a pipe, the lines of two processes do not mix up to 4096 bytes: pipe(7), PIPE_BUF.
LINES_A_PIECE = 8
# Where nobody reads the lines, whoever answers waits, as without all this.
MOST_HELD = 10_000
FAILED = 500

# A moment, a method, a route, a status, how long it took, and what the line carries.
_Finished = tuple[float, str, str, int, float, Mapping[str, str]]

_encode = json.JSONEncoder(default=repr).encode


@lru_cache(maxsize=256)  # routes and methods; a client may make up any number of the latter
def _word(text: str) -> str:
    return _encode(text)


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


class JsonFormatter(logging.Formatter):
    """Format a standard library record as the line that structlog would write."""

    def __init__(self, **identity: str) -> None:
        super().__init__()
        self._identity = identity

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line = {
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "source": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            **self._identity,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class Lines:
    """Writes finished lines to whatever stderr is at the moment, each in one piece."""

    def msg(self, line: str) -> None:
        """Write a line."""
        sys.stderr.write(line + "\n")

    debug = info = warning = error = critical = msg


class RequestLines:
    """The one line that every request is worth, put together by hand: structlog takes ten times as long for it.

    While `run` runs, what a line says is held for a moment, and then written with the others'. To write is to give the
    interpreter up to another thread and to queue for it again: under load that costs a request more than all else
    that is done for it. A failure is written at once: somebody may look for it, and the process may not live long.
    """

    def __init__(self, who: Mapping[str, str], log_level: str) -> None:
        self._begin = _encode({**who, "source": "platform_kit.requests"}).removesuffix("}")
        self._is_wanted = _number(log_level) <= logging.INFO
        self._held: deque[_Finished] = deque()
        self.is_holding = False

    def run(self, stop: Event) -> None:
        """Hold lines, and write them every tenth of a second, until told to stop."""
        self.is_holding = True
        while not stop.wait(HELD_SECONDS):
            self.flush()
        self.is_holding = False
        self.flush()

    def flush(self) -> None:
        """Write what is held."""
        while self._held:
            some = min(len(self._held), LINES_A_PIECE)
            sys.stderr.write("".join([self._line(*self._held.popleft()) for _ in range(some)]))

    def finished(
        self, method: str, route: str, *, status: int, seconds: float, keys: Mapping[str, str]
    ) -> None:
        """Write that a request was answered; `keys` are such as need no escapes."""
        if not self._is_wanted:
            return
        finished = (time.time(), method, route, status, seconds, keys)
        if self.is_holding and status < FAILED and len(self._held) < MOST_HELD:
            self._held.append(finished)
        else:
            sys.stderr.write(self._line(*finished))

    def _line(
        self,
        at: float,
        method: str,
        route: str,
        status: int,
        seconds: float,
        keys: Mapping[str, str],
    ) -> str:
        now = datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")
        carried_keys = "".join([f', "{key}": "{value}"' for key, value in keys.items()])
        return (
            f'{self._begin}, "method": {_word(method)}, "route": {_word(route)}, "status": {status}'
            f', "seconds": {seconds:.6f}, "event": "request_finished", "level": "info"'
            f', "timestamp": "{now[:-6]}Z"{carried_keys}}}\n'
        )


def current_request_id() -> str | None:
    """Return the id of the request being answered, None outside of one."""
    return carried.get().get("request_id")


def identity(service: str, settings: InstanceSettings) -> dict[str, str]:
    """Return the three keys that say who logs, counts or answers."""
    return {"service": service, "version": settings.version, "slot": settings.slot}


def configure_logs(service: str, settings: InstanceSettings) -> None:
    """Make every `logger` of this process write JSON lines as this instance of the service."""
    import structlog  # noqa: PLC0415 - only the worker logs through it

    who = identity(service, settings)

    def render(_: WrappedLogger, __: str, event: EventDict) -> str:
        return _encode(event)

    def add_keys(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**who, **event, **carried.get()}

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            add_keys,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_number(settings.log_level)),
        logger_factory=lambda *_: Lines(),
        cache_logger_on_first_use=False,
    )


def logger(name: str) -> BoundLogger:
    """Return a logger whose lines carry `name` beside the identity and the request id."""
    import structlog  # noqa: PLC0415 - see above

    return cast("BoundLogger", structlog.get_logger(source=name))


def gunicorn_logs(service: str, settings: InstanceSettings) -> dict[str, Any]:
    """Return the `logconfig_dict` that makes gunicorn write the kit's lines."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter, **identity(service, settings)}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "gunicorn.error": {
                "level": settings.log_level.upper(),
                "handlers": ["stderr"],
                "propagate": False,
            }
        },
    }
