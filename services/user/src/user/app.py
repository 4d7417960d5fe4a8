"""Put the service together: settings, database, routes, and the kit around them."""

from flask import Flask

from platform_kit import Database, TokenVerifier, create_app, load_settings
from platform_kit.api import Clock, utc_now
from user.flags import FLAGS
from user.routes import routes
from user.settings import UserSettings


def create(*, clock: Clock = utc_now) -> Flask:
    """Return the app that gunicorn serves; raise `MissingSetting` when the environment lacks one.

    The clock says which versions of the interface have ended.
    """
    settings = load_settings(UserSettings)
    database = Database(settings.database)
    verifier = TokenVerifier(f"{settings.router_url.rstrip('/')}/auth/api/v1/jwks")
    return create_app(
        "user",
        api=routes(database, verifier, clock=clock),
        database=database,
        flags=FLAGS,
        dependencies=verifier.dependencies,
    )
