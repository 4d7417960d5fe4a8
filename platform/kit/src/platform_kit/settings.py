"""What an instance is told by its environment, and how it says what is missing.

`PLATFORM_*` is the same for every service and read here; `<NAME>_*` belongs to a service, which subclasses
`ServiceSettings`. Values never appear in an error: a database URL holds a password.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, SecretStr, StringConstraints, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from platform_kit.errors import InvalidSetting, MissingSetting, SettingsError
from platform_kit.versions import SEMVER, installed_version

Port = Annotated[int, Field(ge=0, le=65535)]
SemVer = Annotated[str, StringConstraints(pattern=SEMVER)]
Settings = TypeVar("Settings", bound=BaseSettings)

DATABASE_URL_EXAMPLE = "postgresql://user:password@127.0.0.1:5432/name"

_PREFIX = "PLATFORM_"
_FAULTS = ("fault_error_share", "fault_latency_seconds", "fault_after_seconds", "fault_path")


class InstanceSettings(BaseSettings):
    """Settings of an instance, read from PLATFORM_*; make one with `for_service`."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    version: SemVer = "0.0.0"
    slot: Literal["blue", "green"] = "blue"
    host: str = "127.0.0.1"
    port: Port = 8000
    admin_port: Port = 9000
    # Between the clients and this instance: the router, and what stands in front of it.
    proxies: int = Field(default=1, ge=0, le=10)
    threads: int = Field(default=8, ge=1, le=256)
    # The deadline of a request whose caller names none: longer than any takes that goes well, and well below a minute,
    # after which an instance that gets nowhere counts as dead.
    request_seconds: float = Field(default=10, gt=0, le=30)
    # 0 in either switches draining off, which is for negative controls only.
    drain_seconds: float = Field(default=30, ge=0)
    quiet_seconds: float = Field(default=0.3, ge=0)
    memory_limit_mb: float = Field(default=256, gt=0)
    cpu_limit: float = Field(default=1.0, gt=0)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    # Instead of the flags that the service was shipped with, from when it is there on.
    flags_file: Path | None = None
    # Whether versions of the interface are answered that are a preview.
    api_preview: bool = False
    # For development; with a folder, the code runs from a copy there.
    reload: bool = False
    reload_folder: Path | None = None
    faults_allowed: bool = False
    fault_error_share: float = Field(default=0, ge=0, le=1)
    fault_latency_seconds: float = Field(default=0, ge=0)
    fault_after_seconds: float = Field(default=0, ge=0)
    fault_path: str = ""

    @classmethod
    def current(cls) -> InstanceSettings:
        """Read the environment, anew only when it has changed; raise `SettingsError` for a bad value."""
        said = (item for item in os.environ.items() if item[0].upper().startswith(_PREFIX))
        return _read(frozenset(said))

    @classmethod
    def for_service(cls, service: str) -> InstanceSettings:
        """Read the environment; raise `SettingsError` for a bad value or for faults not allowed here."""
        settings = cls.current()
        settings.refuse_faults()
        if "version" in settings.model_fields_set:
            return settings
        return settings.model_copy(update={"version": installed_version(service)})

    def refuse_faults(self) -> None:
        """Raise `InvalidSetting` when a fault is asked for where none is allowed."""
        asked = [name for name in _FAULTS if name in self.model_fields_set]
        if asked and not self.faults_allowed:
            raise InvalidSetting(
                f"PLATFORM_{asked[0].upper()}",
                reason="faults are not allowed here",
                hint="unset it, or set PLATFORM_FAULTS_ALLOWED=true where traffic is not real",
            )


class ServiceSettings(BaseSettings):
    """What every service is told. Subclass it with `SettingsConfigDict(env_prefix="ORDER_")`.

    The database's URL comes in the environment or, where passwords are rotated, in a file. The file wins: who gives
    both has releases that know only the environment.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    database_url: str | None = Field(default=None, pattern=r"^postgresql://")
    database_url_file: Path | None = None
    router_url: str = Field(pattern=r"^https?://", examples=["http://127.0.0.1:8081"])
    # By which auth knows the service that calls others; a file is read anew for every token. Without it none is sent.
    service_secret: SecretStr | None = None
    service_secret_file: Path | None = None

    @property
    def secret(self) -> SecretStr | Path | None:
        """What `ServiceTokens` takes, None for a service that has no secret."""
        return self.service_secret_file or self.service_secret

    @property
    def database(self) -> str | Path:
        """What `Database` takes: the URL, or the file that holds the one of the moment."""
        return self.database_url_file or self.database_url or ""

    @model_validator(mode="after")
    def _has_a_database(self) -> Self:
        variable = f"{self.model_config.get('env_prefix', '')}DATABASE_URL"
        if self.database_url is None and self.database_url_file is None:
            raise MissingSetting(variable, example=DATABASE_URL_EXAMPLE)
        return self


@lru_cache(maxsize=8)
def _read(_said: frozenset[tuple[str, str]]) -> InstanceSettings:
    # Each part of an app asks how many threads there are, and to read takes 7 ms.
    return load_settings(InstanceSettings)


def load_settings(settings: type[Settings]) -> Settings:
    """Read `settings` from the environment; raise `MissingSetting` or `InvalidSetting`."""
    try:
        return settings()
    except ValidationError as invalid:
        raise _named(settings, invalid) from None  # pydantic's text shows the values


def _named(settings: type[BaseSettings], invalid: ValidationError) -> SettingsError:
    first = invalid.errors(include_input=False, include_url=False)[0]
    field = str(first["loc"][0])
    variable = f"{settings.model_config.get('env_prefix', '')}{field}".upper()
    known = settings.model_fields.get(field)
    example = str(known.examples[0]) if known and known.examples else f"<{field}>"
    if first["type"] == "missing":
        return MissingSetting(variable, example=example)
    return InvalidSetting(variable, reason=first["msg"], hint=f"export {variable}={example}")
