"""What user does otherwise for some of its customers; `services/user/flags.json` says for whom."""

from datetime import date

from platform_kit.flags import BooleanFlag, FlagSet

SINGLE_SPACES = BooleanFlag(
    "single-spaces",
    default=False,
    owner="user team",
    expires=date(2027, 6, 1),
    description="Several spaces in a row within a name are written as one.",
)

FLAGS = FlagSet("user", SINGLE_SPACES)
