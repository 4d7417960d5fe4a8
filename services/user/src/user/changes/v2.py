"""v2: a name is written in two parts. v1 wrote one, divided at its first space, and read it as one too."""

from typing import Annotated

from pydantic import BaseModel, StringConstraints, WithJsonSchema

from platform_kit.api import Body, Change, Translation
from user.shapes import Language, Moment

# Unicode's, which v1 takes off. Spelt out: what `\s` means differs from one dialect to the next.
WHITE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
EDGE = rf"[^{WHITE}\x00-\x1f\x7f]"
# Its pattern is in the words of v1's refusals. The document says what may be sent: with any white space around.
WholeName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^[:cntrl:]]+$"
    ),
    WithJsonSchema(
        {
            "type": "string",
            "description": "1 to 100 characters, white space around not counted; no control characters",
            "pattern": rf"^[{WHITE}]*{EDGE}(?:[^\x00-\x1f\x7f]{{0,98}}{EDGE})?[{WHITE}]*$",
        }
    ),
]


class ProfileChange(BaseModel):
    """A profile to write. A language that is not said stays as it was."""

    name: WholeName
    language: Language | None = None


class Profile(BaseModel):
    """A customer's profile: the whole name, and its parts. The language is null until it was said."""

    id: str
    name: str
    given_name: str
    family_name: str
    language: str | None
    updated_at: Moment


def divided(body: Body) -> Body:
    """Return a request with the name in two parts."""
    given, _, family = body["name"].partition(" ")
    rest = {key: value for key, value in body.items() if key != "name"}
    return {"given_name": given, "family_name": family, **rest}


def joined(body: Body) -> Body:
    """Return an answer with the whole name beside its parts."""
    return {"name": f"{body['given_name']} {body['family_name']}".rstrip(), **body}


CHANGE = Change(
    "v2",
    says=(
        "Write given_name and family_name instead of name, and read them: name is gone. v1 divided "
        "a name at its first space, so somebody called Mary Ann had a family name that begins with Ann."
    ),
    operations={
        "read_profile": Translation(answer=Profile, response=joined),
        "write_profile": Translation(
            body=ProfileChange, request=divided, answer=Profile, response=joined
        ),
    },
)
