"""v3: a pair of tokens comes with whose they are, and a logout names its token as RFC 7009 does. v2 had neither."""

from auth.shapes import Continuation, ServiceTokenAnswer
from platform_kit.api import Body, Change, Translation


class TokensAnswer(ServiceTokenAnswer):
    """A pair of tokens, and for how many seconds each is good."""

    refresh_token: str
    refresh_token_expires_in: int


def without_the_account(body: Body) -> Body:
    """Return an answer of tokens alone."""
    return {key: value for key, value in body.items() if key != "account"}


def of_any_token(body: Body) -> Body:
    """Return a request with the refresh token as the token that ends."""
    return {"token": body["refresh_token"]}


TOKENS = Translation(answer=TokensAnswer, response=without_the_account)
CHANGE = Change(
    "v3",
    says=(
        "Read from account whose tokens they are, and leave the access token to the services: what is in "
        "it may change. Log out with token instead of refresh_token."
    ),
    operations={
        "log_in": TOKENS,
        "refresh": TOKENS,
        "log_out": Translation(body=Continuation, request=of_any_token),
    },
)
