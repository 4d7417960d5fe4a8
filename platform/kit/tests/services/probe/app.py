"""Routes that take as long as asked, so that tests can stop the instance in the middle of them."""

import os
import threading

from flask import Blueprint, Flask, request

from platform_kit import Database, create_app
from platform_kit.clients import HttpClient

routes = Blueprint("probe", __name__)


@routes.get("/work")
def work() -> dict[str, int]:
    """Answer after `seconds`, with the worker's process id."""
    threading.Event().wait(float(request.args.get("seconds", "0.02")))
    return {"pid": os.getpid()}


@routes.get("/onward")
def onward() -> dict[str, int]:
    """Ask what PROBE_NEXT is the address of, and answer with the status that came."""
    following = HttpClient("next", os.environ["PROBE_NEXT"], timeout_seconds=2.0)
    return {"status": following.request("GET", "work").status_code}


def create() -> Flask:
    """Return the app; with PROBE_DATABASE_URL it has a database."""
    url = os.environ.get("PROBE_DATABASE_URL")
    database = Database(url) if url else None
    return create_app("probe", blueprints=[routes], database=database)
