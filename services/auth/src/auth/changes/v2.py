"""v2: what goes in and out has the names that clients of OAuth know. v1 had a few of its own."""

from pydantic import BaseModel

from auth.shapes import RandomText, ServiceName, ServiceTokenAnswer
from platform_kit.api import Body, Change, Translation


class ServiceCredentials(BaseModel):
    """Who asks for a service's token, and the secret that proves it."""

    service: ServiceName
    secret: RandomText


class TokensAnswer(ServiceTokenAnswer):
    """A pair of tokens, and for how many seconds each is good."""

    refresh_token: str
    refresh_expires_in: int


def with_a_client(body: Body) -> Body:
    """Return a request with the service as a client."""
    return {"client_id": body["service"], "client_secret": body["secret"]}


def shortened(body: Body) -> Body:
    """Return an answer with the shorter name for how long the refresh token is good."""
    rest = {key: value for key, value in body.items() if key != "refresh_token_expires_in"}
    return {**rest, "refresh_expires_in": body["refresh_token_expires_in"]}


TOKENS = Translation(answer=TokensAnswer, response=shortened)
CHANGE = Change(
    "v2",
    says=(
        "Read refresh_token_expires_in instead of refresh_expires_in. A service asks for its token with "
        "client_id and client_secret, as in RFC 6749, instead of service and secret."
    ),
    operations={
        "log_in": TOKENS,
        "refresh": TOKENS,
        "admit_service": Translation(body=ServiceCredentials, request=with_a_client),
    },
)
