"""What goes in and out of user, in the newest version of its interface. What it was before is in `changes`."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints, WithJsonSchema


def _without_spaces_around(value: object) -> object:
    # Plain ones only: they are typing, and what v1 divided at the first of them keeps every other character.
    return value.strip(" ") if isinstance(value, str) else value


def _without_spaces_after(value: object) -> object:
    # One before is what v1 had between two parts of a name.
    return value.rstrip(" ") if isinstance(value, str) else value


# 100 holds the names people have; control characters would break the screens that show them. The documents say what
# may be sent: spaces around do not count, so the lengths are in the patterns.
GivenName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$"),
    BeforeValidator(_without_spaces_around),
    WithJsonSchema(
        {
            "type": "string",
            "description": "1 to 100 characters, spaces around not counted; no control characters",
            "pattern": r"^ *[^ \x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,98}[^ \x00-\x1f\x7f])? *$",
        }
    ),
]
FamilyName = Annotated[
    str,
    StringConstraints(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$"),
    BeforeValidator(_without_spaces_after),
    WithJsonSchema(
        {
            "type": "string",
            "description": "up to 100 characters, spaces after not counted; no control characters",
            "pattern": r"^(?:[^\x00-\x1f\x7f]{0,99}[^ \x00-\x1f\x7f])? *$",
        }
    ),
]

# As BCP 47 has the plain ones: "de", "pt-BR".
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class Name(BaseModel):
    """A name in its parts. The family name is empty where there is one name only."""

    given: GivenName
    family: FamilyName = ""


class ProfileChange(BaseModel):
    """A profile to write. A language that is not said stays as it was, null takes it away."""

    name: Name
    language: Language | None = None


class Profile(BaseModel):
    """A customer's profile. The language is null until it was said."""

    id: str
    name: Name
    language: str | None
    updated_at: Moment
