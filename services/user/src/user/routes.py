"""The operations of user: parse, call the domain, render. All of them are about the token's subject.

They are written for the newest version of the interface; `changes` leads from and to the others.
"""

from platform_kit import Business, Database, TokenVerifier, parse
from platform_kit.api import Api, Clock, utc_now
from user import profiles, shapes
from user.changes import CHANGES, VERSIONS
from user.profiles import UNSAID, Profile
from user.shapes import ProfileChange

updates = Business("profile_updates")


def routes(database: Database, verifier: TokenVerifier, *, clock: Clock = utc_now) -> Api:
    """Return user's interface."""
    api = Api(VERSIONS, CHANGES, clock=clock)

    @api.operation(
        "GET /profile", answer=shapes.Profile, refusals={404: ["profile_missing"]}, secured=True
    )
    def read_profile() -> shapes.Profile:
        """Read the profile of the customer whose token it is."""
        return _rendered(profiles.read(database, verifier.subject()))

    @api.operation("PUT /profile", body=ProfileChange, answer=shapes.Profile, secured=True)
    def write_profile() -> shapes.Profile:
        """Make or replace the profile of the customer whose token it is."""
        subject = verifier.subject()
        change = parse(ProfileChange)
        language = change.language if "language" in change.model_fields_set else UNSAID
        with updates.attempt() as attempt:
            profile = profiles.write(
                database,
                subject,
                given=change.name.given,
                family=change.name.family,
                language=language,
            )
            attempt.success()
        return _rendered(profile)

    return api


def _rendered(profile: Profile) -> shapes.Profile:
    return shapes.Profile(
        id=profile.id,
        name=shapes.Name.model_construct(given=profile.given_name, family=profile.family_name),
        language=profile.language,
        updated_at=profile.updated_at.isoformat(),
    )
