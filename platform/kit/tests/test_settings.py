"""Settings: what they are by default, and how they name what is wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_settings import SettingsConfigDict

from platform_kit import InstanceSettings, InvalidSetting, MissingSetting, ServiceSettings
from platform_kit import load_settings as load
from platform_kit.versions import installed_version, semver


class ShopSettings(ServiceSettings):
    """Settings of a made-up service."""

    model_config = SettingsConfigDict(env_prefix="SHOP_")

    page: int = 20


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    import os

    for name in [name for name in os.environ if name.startswith(("PLATFORM_", "SHOP_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def shop(monkeypatch):
    """Set the two variables that every service has."""
    monkeypatch.setenv("SHOP_DATABASE_URL", "postgresql://u:hunter2@localhost/shop")
    monkeypatch.setenv("SHOP_ROUTER_URL", "http://127.0.0.1:8081")
    return monkeypatch


def test_an_instance_needs_no_setting():
    """All of them have defaults; the version is the installed distribution's."""
    settings = InstanceSettings.for_service("platform-kit")

    assert (settings.slot, settings.port, settings.admin_port) == ("blue", 8000, 9000)
    assert (settings.threads, settings.drain_seconds, settings.quiet_seconds) == (8, 30, 0.3)
    assert (settings.memory_limit_mb, settings.cpu_limit) == (256, 1.0)
    assert settings.version == installed_version("platform-kit") != "0.0.0"


def test_the_environment_decides(monkeypatch):
    """A variable wins over the default, and over the installed version."""
    monkeypatch.setenv("PLATFORM_VERSION", "2.0.0-dev.1")
    monkeypatch.setenv("PLATFORM_SLOT", "green")
    settings = InstanceSettings.for_service("product")

    assert (settings.version, settings.slot) == ("2.0.0-dev.1", "green")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PLATFORM_SLOT", "red"),
        ("PLATFORM_PORT", "70000"),
        ("PLATFORM_THREADS", "0"),
        ("PLATFORM_PROXIES", "-1"),
        ("PLATFORM_VERSION", "1.0"),
        ("PLATFORM_VERSION", "1.0.0+local"),
        ("PLATFORM_DRAIN_SECONDS", "-1"),
        ("PLATFORM_CPU_LIMIT", "0"),
        ("PLATFORM_LOG_LEVEL", "loud"),
        ("PLATFORM_FAULT_ERROR_SHARE", "1.5"),
    ],
)
def test_a_bad_value_is_named(monkeypatch, variable, value):
    """By the variable, not by the field."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSetting) as refused:
        InstanceSettings.for_service("product")

    assert refused.value.variable == variable
    assert f"{variable} is not valid: {refused.value.reason}" in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PLATFORM_FAULT_ERROR_SHARE", "0.2"),
        ("PLATFORM_FAULT_LATENCY_SECONDS", "1"),
        ("PLATFORM_FAULT_AFTER_SECONDS", "5"),
        ("PLATFORM_FAULT_PATH", "/api"),
    ],
)
def test_a_fault_needs_permission(monkeypatch, variable, value):
    """Every one of them, also those that do nothing alone; with permission they are taken."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSetting, match="faults are not allowed here") as refused:
        InstanceSettings.for_service("product")
    monkeypatch.setenv("PLATFORM_FAULTS_ALLOWED", "true")
    allowed = InstanceSettings.for_service("product")

    assert refused.value.variable == variable
    assert allowed.faults_allowed


def test_a_service_reads_its_own_prefix(shop):
    """And has what every service has."""
    shop.setenv("SHOP_PAGE", "50")
    settings = load(ShopSettings)

    assert (settings.page, settings.router_url) == (50, "http://127.0.0.1:8081")


@pytest.mark.parametrize("variable", ["SHOP_DATABASE_URL", "SHOP_ROUTER_URL"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_setting_is_named_with_an_example(shop, variable, value):
    """Empty is missing: a template that was not filled in."""
    shop.delenv(variable) if value is None else shop.setenv(variable, value)
    with pytest.raises(MissingSetting) as refused:
        load(ShopSettings)

    assert refused.value.variable == variable
    assert str(refused.value).startswith(f"{variable} is not set\nhint: export {variable}=")
    assert refused.value.example in str(refused.value)


def test_no_error_shows_a_value(shop):
    """A database URL with the wrong scheme holds a password all the same."""
    shop.setenv("SHOP_DATABASE_URL", "mysql://u:hunter2@localhost/shop")
    with pytest.raises(InvalidSetting, match="SHOP_DATABASE_URL") as refused:
        load(ShopSettings)

    assert "hunter2" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_the_database_may_be_in_a_file(shop, tmp_path):
    """Which is not read here: a secret may be mounted later than the process starts."""
    shop.delenv("SHOP_DATABASE_URL")
    shop.setenv("SHOP_DATABASE_URL_FILE", str(tmp_path / "url"))

    assert load(ShopSettings).database == tmp_path / "url"


def test_the_database_may_be_in_the_environment(shop):
    """As before."""
    assert load(ShopSettings).database == "postgresql://u:hunter2@localhost/shop"


def test_of_two_places_for_the_database_the_file_wins(shop):
    """A chart gives both: a release of before the file knows only the environment."""
    shop.setenv("SHOP_DATABASE_URL_FILE", "/run/secrets/database/url")

    assert load(ShopSettings).database == Path("/run/secrets/database/url")


@pytest.mark.parametrize(
    ("pep440", "expected"),
    [
        ("1.2.0", "1.2.0"),
        ("1.2.0.dev3", "1.2.0-dev.3"),
        ("1.2.0rc1", "1.2.0-rc.1"),
        ("1.2.0a4", "1.2.0-alpha.4"),
        ("1.2.0b0", "1.2.0-beta.0"),
        ("1.2.0-dev.3", "1.2.0-dev.3"),
    ],
)
def test_versions_of_distributions_become_semver(pep440, expected):
    """The wheel says `1.2.0.dev3`, everybody else `1.2.0-dev.3`."""
    assert semver(pep440) == expected


@given(st.tuples(*[st.integers(0, 999)] * 4), st.sampled_from(["dev", "rc"]))
def test_the_mapping_loses_nothing(numbers, kind):
    """Every number of the version comes out again."""
    major, minor, patch, number = numbers
    mapped = semver(f"{major}.{minor}.{patch}{'.' if kind == 'dev' else ''}{kind}{number}")

    assert mapped == f"{major}.{minor}.{patch}-{kind}.{number}"


def test_what_is_not_installed_has_no_version():
    """Tests and tools make apps of services that are not installed."""
    assert installed_version("no-such-distribution") == "0.0.0"
