"""The apps that `kit.py` compares. Each function makes one, for gunicorn to serve."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Flask
from sqlalchemy import select

THINGS = {"things": [{"id": number, "name": f"thing {number}"} for number in range(3)]}
NOTHING: dict[str, list[object]] = {"things": []}


def bare() -> Flask:
    """Flask and nothing else."""
    app = Flask("bench", static_folder=None)
    app.get("/api/v2/things")(lambda: THINGS)
    return app


def exporter() -> Flask:
    """The same with what most services use for their metrics, by its templates: paths are too many."""
    from prometheus_flask_exporter import (  # type: ignore[import-not-found]  # noqa: PLC0415
        PrometheusMetrics,
    )

    app = bare()
    PrometheusMetrics(app, group_by="url_rule")
    return app


def kit() -> Flask:
    """The same with all of the kit: ids, metrics, a line of log, problems, a flag, versions, the answer signed."""
    from pydantic import BaseModel  # noqa: PLC0415  # the others do without all of it

    from platform_kit import create_app  # noqa: PLC0415
    from platform_kit.api import Api, Change, Version  # noqa: PLC0415
    from platform_kit.flags import BooleanFlag, FlagSet  # noqa: PLC0415

    class Thing(BaseModel):
        id: int
        name: str

    class Things(BaseModel):
        things: list[Thing]

    day = datetime(2026, 6, 1, tzinfo=UTC)
    versions = (Version("v1", deprecated=day, sunset=day.replace(year=2099)), Version("v2"))
    api = Api(versions, [Change("v2", "Nothing.", {})])
    flag = BooleanFlag(
        "no-things",
        default=False,
        owner="bench",
        expires=day.date().replace(year=2099),
        description="Answer none of them.",
    )

    @api.operation("GET /things", answer=Things)
    def things() -> Things:
        """Return the things."""
        return Things.model_validate(NOTHING if flag.on("customer-7") else THINGS)

    return _as_served(create_app("bench", api=api, flags=FlagSet("bench", flag)))


def product_list() -> Flask:
    """The service, as it is."""
    from product.app import create  # noqa: PLC0415

    return _as_served(create())


def _as_served(app: Flask) -> Flask:
    """Start what runs beside the requests of an instance."""
    from platform_kit.background import start_background  # noqa: PLC0415

    start_background(app)
    return app


def bare_list() -> Flask:
    """A bare view with the query of the product list, over the same pool of connections."""
    from platform_kit import Database, load_settings  # noqa: PLC0415
    from product.settings import ProductSettings  # noqa: PLC0415
    from product.tables import products  # noqa: PLC0415

    database = Database(load_settings(ProductSettings).database)
    app = Flask("bench", static_folder=None)

    @app.get("/api/v2/products")
    def read() -> dict[str, object]:
        statement = select(products).where(products.c.id > 0).order_by(products.c.id).limit(21)
        with database.connect() as connection:
            rows = connection.execute(statement).mappings().all()
        items = [{name: str(value) for name, value in row.items()} for row in rows[:20]]
        return {"items": items, "next_after": rows[19]["id"]}

    return app
