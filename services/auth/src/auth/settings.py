"""What the environment tells the service."""

from pydantic_settings import SettingsConfigDict

from platform_kit import ServiceSettings


class AuthSettings(ServiceSettings):
    """Settings of auth, read from AUTH_*."""

    model_config = SettingsConfigDict(env_prefix="AUTH_")
