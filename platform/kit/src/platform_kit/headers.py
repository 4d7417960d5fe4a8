"""Headers that make a browser careful with every answer: none of them is a page, most are about somebody.

What a route sets itself stays. Strict-Transport-Security is not among them: it belongs to whoever ends TLS, which no
instance does.
"""

from __future__ import annotations

from flask import Flask, Response, request

# As OWASP's cheat sheet on REST security asks for, "Security Headers".
ALWAYS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def guard_answers(app: Flask) -> None:
    """Give every answer the headers, and let no cache keep what was said to somebody who showed a token."""

    @app.after_request
    def guard(response: Response) -> Response:
        for name, value in ALWAYS.items():
            response.headers.setdefault(name, value)
        if "Authorization" in request.headers:
            response.headers.setdefault("Cache-Control", "no-store")
        return response
