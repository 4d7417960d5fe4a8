"""Needs NEEDY_DATABASE_URL and NEEDY_ROUTER_URL."""

from flask import Flask
from pydantic_settings import SettingsConfigDict

from platform_kit import ServiceSettings, create_app, load_settings


class NeedySettings(ServiceSettings):
    """Settings of needy."""

    model_config = SettingsConfigDict(env_prefix="NEEDY_")


def create() -> Flask:
    """Return the app; raise `MissingSetting`."""
    load_settings(NeedySettings)
    return create_app("needy", blueprints=[])
