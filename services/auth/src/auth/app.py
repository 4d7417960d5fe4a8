"""Put the service together: settings, database, routes, and the kit around them."""

from flask import Flask

from auth import keys
from auth.callers import Callers
from auth.flags import FLAGS
from auth.passwords import Passwords
from auth.routes import Parts, routes
from auth.settings import AuthSettings
from auth.shapes import KeysAnswer
from platform_kit import Database, TokenVerifier, create_app, load_settings
from platform_kit.api import Clock, utc_now

# The longest body is a registration: less than a kilobyte, however it is escaped.
MAX_BODY_BYTES = 16 * 1024


def create(*, clock: Clock = utc_now) -> Flask:
    """Return the app that gunicorn serves; raise `MissingSetting` when the environment lacks one.

    The clock says what has expired: tokens, locks, keys, and versions of the interface.
    """
    settings = load_settings(AuthSettings)
    database = Database(settings.database)

    def published() -> dict[str, object]:
        return KeysAnswer.of(keys.all_keys(database, now=clock())).model_dump()

    callers = Callers(database, TokenVerifier(published))
    app = create_app(
        "auth",
        api=routes(Parts(database, Passwords(), callers, clock)),
        database=database,
        flags=FLAGS,
    )
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    return app
