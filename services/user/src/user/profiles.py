"""Profiles: what a customer tells about themselves. One a customer, made by the first write.

Problem
    ProfileMissing   the customer has not written one yet
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final

from sqlalchemy import Row, func, select
from sqlalchemy.dialects.postgresql import insert

from platform_kit import Database, Problem
from user.flags import SINGLE_SPACES
from user.tables import profiles


@dataclass(frozen=True, slots=True)
class Profile:
    """A customer's profile; its id is the subject of the customer's token.

    The family name is empty where there is one name only, the language None until it was said.
    """

    id: str
    given_name: str
    family_name: str
    language: str | None
    updated_at: datetime


class Unsaid(Enum):
    """The type of `UNSAID`: nothing was said about it, not even that it should go."""

    UNSAID = "unsaid"


UNSAID: Final = Unsaid.UNSAID


class ProfileMissing(Problem):
    """The customer has no profile yet."""

    def __init__(self) -> None:
        super().__init__(
            404, "profile_missing", "There is no profile yet; PUT one here to make it."
        )


def read(database: Database, subject: str) -> Profile:
    """Return the subject's profile; raise `ProfileMissing` if there is none."""
    with database.connect() as connection:
        row = connection.execute(select(profiles).where(profiles.c.id == subject)).one_or_none()
    if row is None:
        raise ProfileMissing
    return _profile(row)


def write(
    database: Database, subject: str, *, given: str, family: str, language: str | Unsaid | None
) -> Profile:
    """Make or replace the subject's profile and return it; the last of several writers wins.

    A language that is `UNSAID` stays as it was.
    """
    if SINGLE_SPACES.on(subject):
        given, family = " ".join(given.split()), " ".join(family.split())
    change: dict[str, Any] = {"given_name": given, "family_name": family, "updated_at": func.now()}
    if language is not UNSAID:
        change["language"] = language
    statement = (
        insert(profiles)
        .values(id=subject, **change)
        .on_conflict_do_update(index_elements=[profiles.c.id], set_=change)
        .returning(profiles)
    )
    with database.begin() as connection:
        return _profile(connection.execute(statement).one())


def _profile(row: Row[tuple[str, str, str, str | None, datetime]]) -> Profile:
    return Profile(row.id, row.given_name, row.family_name, row.language, row.updated_at)
