"""Put the service together: settings, database, routes, and the kit around them."""

from flask import Flask

from order.events import Product, settle
from order.flags import FLAGS
from order.routes import routes
from order.settings import OrderSettings
from order.stock import Stock
from order.sweeper import Sweeper
from order.tables import outbox
from platform_kit import (
    Database,
    ServiceClient,
    ServiceTokens,
    TokenVerifier,
    create_app,
    load_settings,
)
from platform_kit.api import Clock, utc_now
from platform_kit.events import Relay


def create(*, clock: Clock = utc_now) -> Flask:
    """Return the app that gunicorn serves; raise `MissingSetting` when the environment lacks one.

    The clock says which versions of the interface have ended.
    """
    settings = load_settings(OrderSettings)
    database = Database(settings.database)
    verifier = TokenVerifier(f"{settings.router_url}/auth/api/v1/jwks")
    timeout_seconds = settings.product_timeout_seconds
    tokens = (
        ServiceTokens(settings.router_url, "order", settings.secret) if settings.secret else None
    )
    product = ServiceClient(
        settings.router_url, "product", timeout_seconds=timeout_seconds, tokens=tokens
    )
    stock = Stock(product)
    return create_app(
        "order",
        api=routes(database, verifier, stock, clock=clock),
        database=database,
        flags=FLAGS,
        dependencies=(
            product.dependency,
            *verifier.dependencies,
            *((tokens.dependency,) if tokens else ()),
        ),
        background=(Sweeper(database, stock).run,),
        events=(Relay(database, outbox, Product(product).tell, settle=settle),),
    )
