"""What auth does otherwise for some of its customers; `services/auth/flags.json` says for whom."""

from datetime import date

from platform_kit.flags import BooleanFlag, FlagSet

SHORT_TOKENS = BooleanFlag(
    "short-tokens",
    default=False,
    owner="auth team",
    expires=date(2027, 6, 1),
    description="An access token is good for five minutes instead of fifteen.",
)

FLAGS = FlagSet("auth", SHORT_TOKENS)
