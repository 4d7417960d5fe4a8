"""What the environment tells the service."""

from pydantic_settings import SettingsConfigDict

from platform_kit import ServiceSettings


class ProductSettings(ServiceSettings):
    """Settings of product, read from PRODUCT_*."""

    model_config = SettingsConfigDict(env_prefix="PRODUCT_")
