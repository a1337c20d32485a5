"""Fixtures for the tests on real parts. HA_VERSION chooses Home Assistant, HA_AI the binary."""
import os
from pathlib import Path

import pytest

from broker import Broker
from daemon import Daemon
from homeassistant import HomeAssistant
from listener import Listener
from service import Services, simulated_home

ROOT = Path(__file__).resolve().parents[2]


def pytest_configure(config):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        os.environ.pop(name, None)  # everything here is on loopback


@pytest.fixture(scope="session")
def ha_version():
    return os.environ.get("HA_VERSION", "2025.4.4")


@pytest.fixture(scope="session")
def pictures(ha_version):
    """Where screenshots go."""
    folder = ROOT / "build" / "screenshots" / ha_version
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """The broker that `ha` is connected to."""
    with Broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory):
    """A broker without Home Assistant."""
    with Broker(tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture
def listener(mosquitto):
    """A stranger at `mosquitto`."""
    with Listener(mosquitto) as one:
        yield one


@pytest.fixture(scope="module")
def home(ha_ai, tmp_path_factory):
    """The recorder database of a home with some habits."""
    return simulated_home(ha_ai, tmp_path_factory.mktemp("home"))


@pytest.fixture
def services(ha_ai, tmp_path, mosquitto):
    """Makes services at `mosquitto`."""
    with Services(ha_ai, tmp_path, mosquitto) as made:
        yield made


@pytest.fixture(scope="session")
def ha(tmp_path_factory, ha_version, broker):
    """A running Home Assistant on an empty home, with the MQTT integration."""
    with HomeAssistant(ha_version, tmp_path_factory.mktemp("ha")) as ha:
        ha.add_mqtt(broker)
        yield ha


@pytest.fixture
def browser(ha):
    from browser import Browser
    with Browser(ha) as browser:
        yield browser


@pytest.fixture(scope="session")
def ha_ai():
    """The binary under test."""
    path = Path(os.environ.get("HA_AI", ROOT / "build" / "ha-ai"))
    if not path.exists():
        pytest.fail(f"{path} does not exist: run `make`")
    return path


@pytest.fixture
def daemon(ha_ai, tmp_path, broker):
    """Makes services: `daemon(HA_URL=ha.url, HA_TOKEN=ha.token).start()`; stopped at the end of the test."""
    made = []

    def make(**settings):
        made.append(Daemon(ha_ai, tmp_path / f"ha-ai-{len(made)}", broker, **settings))
        return made[-1]

    yield make
    for one in made:
        one.stop()
