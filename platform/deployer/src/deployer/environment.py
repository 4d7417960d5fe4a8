"""An environment: a target plus a policy, read from `environments/<name>.toml`.

Unknown keys, missing files and values out of range are refused with the file, the line, the key and
what would be right, before anything is changed.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from deployer.errors import InputError
from deployer.freeze import FreezeWindow
from deployer.queries import Queries

Share = Annotated[float, Field(gt=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]
Port = Annotated[int, Field(ge=1, le=65535)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RolloutPolicy(_Section):
    """How traffic moves. Times in seconds, weights in percent.

    `gates` are weights that a person lets a canary past. `monitor_seconds` is how long a release is
    analysed after promotion. A gradual rollback lets the bad release's share fall through
    `ease_weights`, each held for `ease_seconds`.
    """

    strategy: Literal["canary", "blue-green", "rolling"] = "canary"
    weights: tuple[int, ...] = (10, 25, 50, 100)
    gates: tuple[int, ...] = ()
    hold_seconds: Seconds = 900
    monitor_seconds: Seconds = 900
    ease_weights: tuple[int, ...] = (50, 25, 10)
    ease_seconds: Seconds = 60
    look_seconds: Annotated[float, Field(gt=0)] = 1
    patience_seconds: Seconds = 3600
    standby_seconds: Seconds = 1800
    instances: Annotated[int, Field(ge=1)] = 1


class HookPolicy(_Section):
    """A hook of a service's: what is called at which point, a command or a URL."""

    at: Literal[
        "before-rollout", "before-traffic", "after-step", "after-promotion", "after-rollback"
    ]
    command: tuple[str, ...] = ()
    url: str = ""
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 60

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if bool(self.command) == bool(self.url):
            message = "a hook has a command or a url, one of both"
            raise ValueError(message)
        return self


class GeneratedRows(_Section):
    """What a service says of its tables in production, for a rehearsal of its schema changes.

    `rows` has how many each has; `generators` a table's columns as SQL over the row's number `n`, where
    values that fulfil the constraints can't be guessed, or have to be more like the real ones.
    """

    rows: dict[str, Annotated[int, Field(ge=0, le=100_000_000)]] = {}
    generators: dict[str, dict[str, Annotated[str, Field(min_length=1)]]] = {}


class MigrationsPolicy(_Section):
    """What a schema change may cost here, and how many rows a table has of which a service says nothing.

    `lock_budget_ms` is how long somebody who writes may wait for a lock, `duration_budget_seconds` how
    long one phase may take.
    """

    lock_budget_ms: Annotated[float, Field(gt=0)] = 100
    duration_budget_seconds: Annotated[float, Field(gt=0)] = 600
    rows: Annotated[int, Field(ge=1, le=100_000_000)] = 100_000


class LimitsPolicy(_Section):
    """What rolls a release back. The defaults are the mission's."""

    health_failures: Annotated[int, Field(ge=1)] = 3
    error_share: Share = 0.05
    slow_share: Share = 0.05
    # The router's histogram has a bucket at exactly 1 s: nothing else could be counted.
    slow_seconds: Annotated[float, Field(ge=1.0, le=1.0)] = 1.0
    resource_share: Share = 0.90


class InstancePolicy(_Section):
    """What an instance gets: threads, memory and CPU, and how long it may take."""

    threads: Annotated[int, Field(ge=1)] = 8
    memory_limit_mb: Annotated[int, Field(ge=32)] = 256
    cpu_limit: Annotated[float, Field(gt=0)] = 1.0
    drain_seconds: Seconds = 30
    ready_seconds: Seconds = 60
    faults_allowed: bool = False


class ServicePolicy(_Section):
    """What an environment wants otherwise of one service: the keys that are set, and no others."""

    rollout: RolloutPolicy = RolloutPolicy()


class Ports(_Section):
    """The router's listeners on this machine."""

    public: Port = 8080
    internal: Port = 8081
    admin: Port = 8082


class KubernetesPolicy(_Section):
    """Where an environment is in a cluster, and how to reach it from here.

    `{service}` and `{environment}` stand for those words in the namespaces. `public_url` and
    `probe_url` are the Gateways `public` and `internal` as this machine reaches them, `internal_url`
    the latter as pods do. `router` is namespace/Service:port of the router's metrics page. With
    `database` "chart" there is a PostgreSQL for development, of `postgresql_image` if that is set.
    """

    context: str = ""
    namespace: str = Field(default="{service}-{environment}", pattern=r"\{service\}")
    platform_namespace: str = "platform-{environment}"
    registry: str = ""
    public_url: str = Field(default="http://127.0.0.1:8080", pattern=r"^https?://")
    probe_url: str = Field(default="http://127.0.0.1:8081", pattern=r"^https?://")
    internal_url: str = Field(default="", pattern=r"^(https?://|$)")
    gateway_class: str = "traefik"
    metrics: Literal["scrape", "prometheus"] = "scrape"
    router: str = Field(
        default="platform-{environment}/traefik:metrics", pattern=r"^[^/]+/[^:]+:[\w-]+$"
    )
    prometheus_url: str = Field(default="", pattern=r"^(https?://|$)")
    queries: Queries = Queries()
    database: Literal["chart", "given"] = "given"
    postgresql_image: str = ""


class Environment(_Section):
    """All of one environment. `name` is the file's.

    `rollout` is for every service, `services` for single ones: both go above what a service says of
    itself in `[tool.deployer.rollout]`.
    """

    name: str
    target: Literal["local", "kubernetes"]
    rollout: RolloutPolicy = RolloutPolicy()
    services: dict[str, ServicePolicy] = {}
    freeze: tuple[FreezeWindow, ...] = ()
    limits: LimitsPolicy = LimitsPolicy()
    instance: InstancePolicy = InstancePolicy()
    migrations: MigrationsPolicy = MigrationsPolicy()
    ports: Ports = Ports()
    kubernetes: KubernetesPolicy = KubernetesPolicy()


def layered(*layers: Mapping[str, object]) -> RolloutPolicy:
    """Return the policy in which each layer's keys go above those of the layers before it.

    Raises pydantic's ValidationError for a value that is out of range.
    """
    merged: dict[str, object] = {}
    for layer in layers:
        merged.update(layer)
    return RolloutPolicy.model_validate(merged)


def load_environment(folder: Path, name: str) -> Environment:
    """Read `<folder>/<name>.toml`.

    Raises InputError: `environment-missing` names those there are, `environment-broken` the file,
    line and key.
    """
    path = folder / f"{name}.toml"
    if not path.is_file():
        raise _missing(folder, name)
    text = path.read_text()
    try:
        return Environment(name=name, **tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise _broken(path, str(error), hint="mend the TOML at that place") from error
    except ValidationError as error:
        raise _invalid(path, text, error) from error
    except TypeError as error:
        raise _broken(path, "`name` is the file's name, not a key", hint="take it out") from error


def _missing(folder: Path, name: str) -> InputError:
    known = sorted(path.stem for path in folder.glob("*.toml"))
    near = difflib.get_close_matches(name, known, n=1)
    return InputError(
        "environment-missing",
        f"there is no environment {name!r}: {folder.name}/ has {', '.join(known) or 'none'}",
        hint=f"use --env {near[0] if near else (known or ['local'])[0]}",
    )


def _broken(path: Path, why: str, *, hint: str) -> InputError:
    return InputError("environment-broken", f"{path.parent.name}/{path.name}: {why}", hint=hint)


def _invalid(path: Path, text: str, error: ValidationError) -> InputError:
    first = error.errors()[0]
    # Numbers are places in a list; a freeze's moments are tried as two kinds, which are no keys.
    words = [part for part in first["loc"] if isinstance(part, str)]
    keys = tuple(word for word in words if word not in {"datetime", "time"})
    line = _line_of(text, keys)
    where = f"line {line}, key {'.'.join(keys)}" if line else f"key {'.'.join(keys)}"
    if first["type"] == "extra_forbidden":
        known = _fields(keys[:-1])
        near = difflib.get_close_matches(keys[-1], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        return _broken(path, f"{where}: unknown key", hint=hint)
    given = "" if first["type"] == "missing" else f" (it is {first['input']!r})"
    return _broken(path, f"{where}: {first['msg']}{given}", hint="set it in that file")


def _fields(section: tuple[str, ...]) -> list[str]:
    model: type[BaseModel] = Environment
    for key in section:
        annotation = model.model_fields[key].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        model = annotation
    return sorted(model.model_fields)


def _line_of(text: str, keys: tuple[str, ...]) -> int | None:
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[{1,2}([^\]]+)\]", line):
            section = tuple(part.strip() for part in header[1].split("."))
            if section == keys:
                return number
        elif (key := re.match(r"\s*([\w-]+)\s*=", line)) and (*section, key[1]) == keys:
            return number
    return None
