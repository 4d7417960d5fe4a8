"""Put the service together: settings, database, routes, and the kit around them."""

from flask import Flask

from platform_kit import Database, create_app, load_settings
from platform_kit.api import Clock, utc_now
from product.flags import FLAGS
from product.routes import routes
from product.settings import ProductSettings


def create(*, clock: Clock = utc_now) -> Flask:
    """Return the app that gunicorn serves; raise `MissingSetting` when the environment lacks one.

    The clock says which versions of the interface have ended.
    """
    settings = load_settings(ProductSettings)
    database = Database(settings.database)
    return create_app(
        "product",
        api=routes(database, clock=clock),
        database=database,
        flags=FLAGS,
    )
