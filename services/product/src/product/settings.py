"""What the environment tells the service."""

from pydantic_settings import SettingsConfigDict

from platform_kit import ServiceSettings
from platform_kit.admission import Mode


class ProductSettings(ServiceSettings):
    """Settings of product, read from PRODUCT_*."""

    model_config = SettingsConfigDict(env_prefix="PRODUCT_")

    # Whether the routes for other services want a token that says which one calls. `required` refuses every call
    # without, so all callers send theirs before: `observe` counts those that do not.
    service_tokens: Mode = Mode.OFF
