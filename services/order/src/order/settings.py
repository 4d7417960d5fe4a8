"""What the environment tells the service."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from platform_kit import ServiceSettings


class OrderSettings(ServiceSettings):
    """Settings of order, read from ORDER_*."""

    model_config = SettingsConfigDict(env_prefix="ORDER_")

    # A hundred times what product takes; a customer waits for two of these at most.
    product_timeout_seconds: float = Field(default=2.0, gt=0)
