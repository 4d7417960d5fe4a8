"""Logs: one JSON object a line on stderr, an event in the past tense with its keys.

The service's own events go through structlog; gunicorn's go through the standard library and get the same
keys from `JsonFormatter`, so that the gunicorn master writes the same lines without importing structlog.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger
    from structlog.typing import EventDict, WrappedLogger

    from platform_kit.settings import InstanceSettings


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


def identity(service: str, settings: InstanceSettings) -> dict[str, str]:
    """Return the three keys that say who logs, counts or answers."""
    return {"service": service, "version": settings.version, "slot": settings.slot}


def configure_logs(service: str, settings: InstanceSettings) -> None:
    """Make every `logger` of this process write JSON lines as this instance of the service."""
    import structlog  # noqa: PLC0415 - only the worker logs through it

    who = identity(service, settings)

    def add_identity(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**who, **event}

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            add_identity,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level.upper()]
        ),
        # Made at every use: stderr may be another one than when the module was imported.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
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
