"""Headers between services: the routers drop them of requests that come from outside."""

# How long a caller still waits (`platform_kit.deadline`). With it a customer could make requests fail at
# will, and a rollout would count them against the release.
INNER_HEADERS = ("X-Request-Timeout-Ms",)
