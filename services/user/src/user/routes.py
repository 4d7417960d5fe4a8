"""The routes of user: parse, call the domain, render. All of them are about the token's subject."""

from typing import Annotated

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, StringConstraints

from platform_kit import Business, Database, TokenVerifier, parse
from user import profiles
from user.profiles import Profile

# 100 holds the names people have; control characters would break the screens that show them.
Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^[:cntrl:]]+$"
    ),
]

# As BCP 47 has the plain ones: "de", "pt-BR".
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]

updates = Business("profile_updates")


class ProfileChange(BaseModel):
    """The body of PUT /profile."""

    name: Name
    language: Language | None = None


def routes(database: Database, verifier: TokenVerifier) -> Blueprint:
    """Return the blueprint of user's routes."""
    blueprint = Blueprint("user", __name__)

    @blueprint.get("/profile")
    def read_profile() -> ResponseReturnValue:
        return _rendered(profiles.read(database, verifier.subject()))

    @blueprint.put("/profile")
    def write_profile() -> ResponseReturnValue:
        subject = verifier.subject()
        change = parse(ProfileChange)
        with updates.attempt() as attempt:
            profile = profiles.write(database, subject, name=change.name, language=change.language)
            attempt.success()
        return _rendered(profile)

    return blueprint


def _rendered(profile: Profile) -> dict[str, str | None]:
    return {
        "id": profile.id,
        "name": profile.name,
        "given_name": profile.given_name,
        "family_name": profile.family_name,
        "language": profile.language,
        "updated_at": profile.updated_at.isoformat(),
    }
