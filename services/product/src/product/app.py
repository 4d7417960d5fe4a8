"""Put the service together: settings, database, routes, and the kit around them."""

from flask import Flask

from platform_kit import Database, create_app, load_settings
from product.routes import routes
from product.settings import ProductSettings


def create() -> Flask:
    """Return the app that gunicorn serves; raise `MissingSetting` when the environment lacks one."""
    settings = load_settings(ProductSettings)
    database = Database(settings.database)
    return create_app(
        "product",
        blueprints=[routes(database)],
        database=database,
    )
