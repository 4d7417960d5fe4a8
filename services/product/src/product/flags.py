"""What product does otherwise for some of its callers; `services/product/flags.json` says for whom."""

from datetime import date

from platform_kit.flags import BooleanFlag, FlagSet

HIDE_SOLD_OUT = BooleanFlag(
    "hide-sold-out",
    default=False,
    owner="product team",
    expires=date(2027, 6, 1),
    description="The list of products leaves out those that nobody can reserve now.",
)

FLAGS = FlagSet("product", HIDE_SOLD_OUT)
