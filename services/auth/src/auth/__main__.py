"""What the operator does with auth, where its database can be reached: `python -m auth COMMAND`.

    grant EMAIL ROLE        give an account a role; so the first admin is made
    rotate-keys             publish the next signing key, which signs a quarter of an hour later
    rotate-keys --stolen    throw all keys away: every access token becomes invalid
    admit SERVICE           make a secret by which a service gets tokens of its own, and print it

It reads AUTH_DATABASE_URL or AUTH_DATABASE_URL_FILE as the service does. Data goes to stdout, the audit trail to stderr.
"""

import argparse
import re
import sys
from datetime import UTC, datetime

from auth import accounts, keys, services
from auth.accounts import Role
from auth.settings import AuthSettings
from platform_kit import Database, InstanceSettings, KitError, Problem, load_settings
from platform_kit.logs import configure_logs

CONNECT_SECONDS = 5.0


def main(arguments: list[str]) -> int:
    """Run one command; return 0 when it is done, 1 when it is refused."""
    asked = _parser().parse_args(arguments)
    try:
        configure_logs("auth", InstanceSettings.for_service("auth"))
        database = Database(load_settings(AuthSettings).database)
        try:
            database.ping(CONNECT_SECONDS)
            sys.stdout.write(_done(asked, database) + "\n")
        finally:
            database.dispose()
    except (KitError, Problem) as refused:
        sys.stderr.write(f"error: {refused}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m auth", description="Operate auth.")
    commands = parser.add_subparsers(dest="command", required=True)
    grant = commands.add_parser("grant", help="give an account a role")
    grant.add_argument("email", type=lambda text: text.strip().lower())
    grant.add_argument("role", type=Role, choices=list(Role))
    rotate = commands.add_parser("rotate-keys", help="publish the next signing key")
    rotate.add_argument("--stolen", action="store_true", help="and trust no other from now on")
    admit = commands.add_parser("admit", help="make a secret for a service")
    admit.add_argument("service", type=_service_name)
    return parser


def _service_name(text: str) -> str:
    if not re.fullmatch(services.NAME, text):
        raise argparse.ArgumentTypeError(f"{text!r} is no service's name: {services.NAME}")
    return text


def _done(asked: argparse.Namespace, database: Database) -> str:
    now = datetime.now(UTC)
    match asked.command:
        case "grant":
            account = accounts.grant_to(database, asked.email, asked.role)
            return f"{account.id} has the role {account.role}"
        case "admit":
            return services.admit(database, asked.service)
        case _ if asked.stolen:
            return f"{keys.replace(database, now=now)} signs from now on, and no other"
        case _:
            kid, signs_at = keys.rotate(database, now=now)
            return f"{kid} signs from {signs_at.isoformat(timespec='seconds')}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
