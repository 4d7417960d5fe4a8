"""One call makes a service's Flask app, with everything that all services share around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Event
from typing import Protocol

from flask import Blueprint, Flask
from prometheus_client.registry import Collector

from platform_kit.addresses import trust_proxies
from platform_kit.admission import Admission
from platform_kit.api.api import Api
from platform_kit.api.mount import mount
from platform_kit.api.served import ServedApi
from platform_kit.call_counts import CallCounts
from platform_kit.database import Database
from platform_kit.dependency import Dependency
from platform_kit.errors import MigrationsMissing
from platform_kit.faults import inject_faults
from platform_kit.flags import FlagSet, flags_file
from platform_kit.flags.encounters import Encounters
from platform_kit.flags.exposition import FlagMetrics
from platform_kit.flags.watch import FlagWatch
from platform_kit.instance import Instance, Job
from platform_kit.liveness import Activity
from platform_kit.logs import RequestLines, configure_logs, identity
from platform_kit.metrics import Metrics
from platform_kit.migrations.declaration import Declaration, read_declaration
from platform_kit.migrations.location import migrations_directory
from platform_kit.problems import render_problems
from platform_kit.readiness import Check, Readiness
from platform_kit.requests import ObservedFlask
from platform_kit.schema import Needs, schema_check
from platform_kit.settings import InstanceSettings
from platform_kit.usage import Usage

API_PREFIX = "/api/v1"
# No body of these services is longer than some kilobytes; more is refused with 413.
MAX_BODY_BYTES = 1024 * 1024
PING_SECONDS = 1.0


class EventPart(Protocol):
    """A relay or an inbox of `platform_kit.events`: what runs beside the requests, and what /metrics shows of it."""

    def run(self, stop: Event) -> None:
        """Do its work until told to stop."""

    def metrics(self, identity: Mapping[str, str]) -> Collector:
        """Return what counts it."""


def create_app(  # noqa: PLR0913  # the parts of a service, each by its name
    service: str,
    *,
    blueprints: Sequence[Blueprint] = (),
    api: Api | None = None,
    database: Database | None = None,
    schema_oldest: str | None = None,
    dependencies: Sequence[Dependency] = (),
    background: Sequence[Job] = (),
    events: Sequence[EventPart] = (),
    admission: Admission | None = None,
    flags: FlagSet | None = None,
    settings: InstanceSettings | None = None,
) -> Flask:
    """Return the app of `service`: every version of its `api`, and its blueprints below /api/v1.

    Opens no port, connects to nothing and starts no thread: that is `start_background`'s and `serve`'s part.
    `schema_oldest` is the oldest revision that this code runs on (without it, what `schema.toml` beside
    the service's migrations declares), `dependencies` what `/metrics` shows beside the database: those of the
    service's clients and of its token verifier; `background` the service's own threads, `events` its relays and inboxes,
    `admission` what says which services may call it.
    `flags` are read here, from PLATFORM_FLAGS_FILE or, while that is not there, as the service was shipped;
    `start_background` watches them.
    """
    settings = settings or InstanceSettings.for_service(service)
    configure_logs(service, settings)
    app = ObservedFlask(service)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    needs = _needs(service, settings.version, schema_oldest) if database else None
    watch = _watch(flags, settings) if flags else None
    lines = RequestLines(identity(service, settings), settings.log_level)
    jobs = [lines.run, *background, *(part.run for part in events)]
    if watch:
        jobs.insert(0, watch.run_until)
    if admission:
        dependencies = (*dependencies, *admission.dependencies)
    asked = (*((database.dependency,) if database else ()), *dependencies)
    instance = _instance(
        service, settings, checks=_checks(database, needs), jobs=jobs, dependencies=asked
    )
    instance.attach(app)
    for part in (*events, *((admission,) if admission else ())):
        instance.metrics.registry.register(part.metrics(identity(service, settings)))
    encounters = None
    if watch:
        encounters = Encounters()
        exposition = FlagMetrics(identity(service, settings), watch, encounters)
        instance.metrics.registry.register(exposition)
    served = ServedApi(api, instance) if api else None
    app.observe(instance, lines, encounters=encounters, api=served)
    trust_proxies(app, settings.proxies)
    inject_faults(app, settings)
    render_problems(app)
    _serve_identity(app, identity(service, settings))
    for blueprint in blueprints:
        app.register_blueprint(blueprint, url_prefix=API_PREFIX)
    if api is not None:
        mount(app, api)
    return app


def _instance(
    service: str,
    settings: InstanceSettings,
    *,
    checks: list[Check],
    jobs: Sequence[Job],
    dependencies: Sequence[Dependency],
) -> Instance:
    activity = Activity()
    usage = Usage(memory_limit_mb=settings.memory_limit_mb, cpu_limit=settings.cpu_limit)
    who = identity(service, settings)
    metrics = Metrics(who, activity=activity, usage=usage)
    metrics.registry.register(CallCounts(who, dependencies))
    return Instance(
        service=service,
        settings=settings,
        activity=activity,
        usage=usage,
        metrics=metrics,
        readiness=Readiness(activity, checks),
        jobs=tuple(jobs),
    )


def _watch(flags: FlagSet, settings: InstanceSettings) -> FlagWatch:
    watch = FlagWatch(flags, flags_file(flags.service), awaited=settings.flags_file)
    watch.look()
    return watch


def _needs(service: str, version: str, schema_oldest: str | None) -> Needs | None:
    """Return what this release can say of the schema; None where nothing is declared at all."""
    try:
        declared = read_declaration(migrations_directory(service))
    except MigrationsMissing:
        declared = Declaration(None, ())
    oldest = schema_oldest or declared.needs
    return None if oldest is None else Needs(oldest, version, declared.known)


def _checks(database: Database | None, needs: Needs | None) -> list[Check]:
    if database is None:
        return []

    def ping() -> str:
        database.ping(PING_SECONDS)
        return "answers"

    checks = [Check("database", ping)]
    if needs is not None:
        checks.insert(0, schema_check(database, needs))
    return checks


def _serve_identity(app: Flask, who: dict[str, str]) -> None:
    @app.get("/api")
    def identify() -> dict[str, str]:
        return who
