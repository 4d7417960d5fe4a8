"""Headers that make a browser careful with every answer: none of them is a page, most are about somebody.

What a route sets itself stays. Strict-Transport-Security is not among them: it belongs to whoever ends TLS, which no
instance does.
"""

from __future__ import annotations

from collections.abc import Sequence

Header = tuple[str, str]

# As OWASP's cheat sheet on REST security asks for, "Security Headers".
ALWAYS: tuple[Header, ...] = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)
# No cache keeps what was said to somebody who showed a token.
WITH_TOKEN: tuple[Header, ...] = (*ALWAYS, ("Cache-Control", "no-store"))


_ALWAYS, _WITH_TOKEN = (
    tuple((each[0].lower(), each) for each in headers) for headers in (ALWAYS, WITH_TOKEN)
)


def added_headers(headers: Sequence[Header], *, has_token: bool) -> list[Header]:
    """Return what an answer with these headers lacks; `has_token` says whether its request had credentials."""
    said = {name.lower() for name, _ in headers}
    wanted = _WITH_TOKEN if has_token else _ALWAYS
    return [header for name, header in wanted if name not in said]
