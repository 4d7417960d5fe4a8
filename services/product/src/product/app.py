"""Put the service together: settings, database, routes, and the kit around them."""

from flask import Flask

from platform_kit import Admission, Database, create_app, load_settings
from platform_kit.api import Clock, utc_now
from platform_kit.events import Inbox
from product.events import EFFECTS
from product.flags import FLAGS
from product.routes import routes
from product.settings import ProductSettings
from product.tables import inbox


def create(*, clock: Clock = utc_now) -> Flask:
    """Return the app that gunicorn serves; raise `MissingSetting` when the environment lacks one.

    The clock says which versions of the interface have ended.
    """
    settings = load_settings(ProductSettings)
    database = Database(settings.database)
    events = Inbox(database, inbox, EFFECTS)
    admission = Admission.by_keys_at(settings.router_url, settings.service_tokens)
    return create_app(
        "product",
        api=routes(database, events, admission, clock=clock),
        database=database,
        flags=FLAGS,
        events=(events,),
        admission=admission,
    )
