"""Put the service together: settings, database, routes, and the kit around them."""

from flask import Flask

from auth.passwords import Passwords
from auth.routes import routes
from auth.settings import AuthSettings
from platform_kit import Database, create_app, load_settings


def create() -> Flask:
    """Return the app that gunicorn serves; raise `MissingSetting` when the environment lacks one."""
    settings = load_settings(AuthSettings)
    database = Database(settings.database)
    return create_app(
        "auth",
        blueprints=[routes(database, Passwords())],
        database=database,
    )
