"""Put the service together: settings, database, routes, and the kit around them."""

from flask import Flask

from platform_kit import Database, TokenVerifier, create_app, load_settings
from user.flags import FLAGS
from user.routes import routes
from user.settings import UserSettings


def create() -> Flask:
    """Return the app that gunicorn serves; raise `MissingSetting` when the environment lacks one."""
    settings = load_settings(UserSettings)
    database = Database(settings.database)
    verifier = TokenVerifier(f"{settings.router_url.rstrip('/')}/auth/api/v1/jwks")
    return create_app(
        "user",
        blueprints=[routes(database, verifier)],
        database=database,
        flags=FLAGS,
        dependencies=verifier.dependencies,
    )
