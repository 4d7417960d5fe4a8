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
_NAMES = frozenset(name.lower() for name, _ in WITH_TOKEN)


def added_headers(headers: Sequence[Header], *, has_token: bool) -> Sequence[Header]:
    """Return what an answer with these headers lacks; `has_token` says whether its request had credentials."""
    wanted = WITH_TOKEN if has_token else ALWAYS
    for name, _ in headers:
        if name.lower() in _NAMES:
            said = {name.lower() for name, _ in headers}
            return [header for header in wanted if header[0].lower() not in said]
    return wanted
