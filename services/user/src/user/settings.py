"""What the environment tells the service."""

from pydantic_settings import SettingsConfigDict

from platform_kit import ServiceSettings


class UserSettings(ServiceSettings):
    """Settings of user, read from USER_*."""

    model_config = SettingsConfigDict(env_prefix="USER_")
