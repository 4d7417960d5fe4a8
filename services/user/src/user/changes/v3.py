"""v3: the parts of a name are together in one object, and a language can be taken back. v2 had them side by side."""

from pydantic import BaseModel

from platform_kit.api import Body, Change, Translation
from user.shapes import FamilyName, GivenName, Language, Moment


class ProfileChange(BaseModel):
    """A profile to write. A language that is not said, or null, stays as it was."""

    given_name: GivenName
    family_name: FamilyName = ""
    language: Language | None = None


class Profile(BaseModel):
    """A customer's profile. The language is null until it was said."""

    id: str
    given_name: str
    family_name: str
    language: str | None
    updated_at: Moment


def nested(body: Body) -> Body:
    """Return a request with the parts of the name in one object, and without a language that is null."""
    name = {"given": body["given_name"], "family": body.get("family_name", "")}
    language = body.get("language")
    return {"name": name} if language is None else {"name": name, "language": language}


def flat(body: Body) -> Body:
    """Return an answer with the parts of the name side by side."""
    name = body["name"]
    rest = {key: value for key, value in body.items() if key != "name"}
    return {"given_name": name["given"], "family_name": name["family"], **rest}


CHANGE = Change(
    "v3",
    says=(
        "Write and read name.given and name.family instead of given_name and family_name. A language "
        "of null, which was the same as none, now takes it away: leave it out to keep it."
    ),
    operations={
        "read_profile": Translation(answer=Profile, response=flat),
        "write_profile": Translation(
            body=ProfileChange, request=nested, answer=Profile, response=flat
        ),
    },
)
