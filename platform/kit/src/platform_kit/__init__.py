"""What every service imports: one call makes its app, one program serves it.

Names are imported when they are first used: the gunicorn master runs `platform_kit.serve` and must stay
small, so it must not pay for Flask, SQLAlchemy or PyJWT, which only its worker needs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platform_kit.addresses import client_address as client_address
    from platform_kit.admission import Admission as Admission
    from platform_kit.app import create_app as create_app
    from platform_kit.background import Background as Background
    from platform_kit.background import start_background as start_background
    from platform_kit.bodies import parse as parse
    from platform_kit.business import Business as Business
    from platform_kit.clients import ServiceClient as ServiceClient
    from platform_kit.database import Database as Database
    from platform_kit.errors import DatabaseUnreachable as DatabaseUnreachable
    from platform_kit.errors import InvalidSetting as InvalidSetting
    from platform_kit.errors import KitError as KitError
    from platform_kit.errors import MissingSetting as MissingSetting
    from platform_kit.errors import ServiceUnreachable as ServiceUnreachable
    from platform_kit.errors import SettingsError as SettingsError
    from platform_kit.logs import current_request_id as current_request_id
    from platform_kit.logs import logger as logger
    from platform_kit.problems import Problem as Problem
    from platform_kit.queries import parse_query as parse_query
    from platform_kit.service_tokens import ServiceTokens as ServiceTokens
    from platform_kit.settings import InstanceSettings as InstanceSettings
    from platform_kit.settings import ServiceSettings as ServiceSettings
    from platform_kit.settings import load_settings as load_settings
    from platform_kit.tokens import Caller as Caller
    from platform_kit.tokens import TokenVerifier as TokenVerifier
    from platform_kit.trail import audit as audit

_HOMES = {
    "Admission": "admission",
    "Background": "background",
    "Business": "business",
    "Caller": "tokens",
    "Database": "database",
    "DatabaseUnreachable": "errors",
    "InstanceSettings": "settings",
    "InvalidSetting": "errors",
    "KitError": "errors",
    "MissingSetting": "errors",
    "Problem": "problems",
    "ServiceClient": "clients",
    "ServiceSettings": "settings",
    "ServiceTokens": "service_tokens",
    "ServiceUnreachable": "errors",
    "SettingsError": "errors",
    "TokenVerifier": "tokens",
    "audit": "trail",
    "client_address": "addresses",
    "create_app": "app",
    "current_request_id": "logs",
    "load_settings": "settings",
    "logger": "logs",
    "parse": "bodies",
    "parse_query": "queries",
    "start_background": "background",
}

if not TYPE_CHECKING:  # else mypy would take any misspelt name for an `object`

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'platform_kit' has no attribute {name!r}")
        return getattr(import_module(f"platform_kit.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
