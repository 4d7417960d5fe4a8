"""What order does otherwise for some of its customers; `services/order/flags.json` says for whom."""

from datetime import date

from platform_kit.flags import BooleanFlag, FlagSet

RESERVE_FIRST = BooleanFlag(
    "reserve-first",
    default=False,
    owner="order team",
    expires=date(2027, 6, 1),
    description="The stock of an order is reserved before its prices are asked for, and not after.",
)

FLAGS = FlagSet("order", RESERVE_FIRST)
