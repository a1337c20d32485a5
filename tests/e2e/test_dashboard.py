"""contrib/dashboard.yaml in a real Home Assistant: every card loads, on a wide screen and on a phone, light and dark, with
suggestions and without."""
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from daemon import Daemon
from homeassistant import wait_until
from test_device import forget

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "contrib" / "dashboard.yaml"
URL = "ha-ai-test"
SELECT = "select.ha_ai_selected_suggestion"
BROKEN = "hui-error-card, hui-warning, hui-warning-element, ha-alert[alert-type=error]"


@pytest.fixture(scope="module")
def shown(ha, ha_ai, broker, tmp_path_factory):
    """A service with a history that is not analysed yet, and the dashboard."""
    folder = tmp_path_factory.mktemp("dashboard")
    home = folder / "home-assistant_v2.db"
    subprocess.run([ha_ai, "simulate", "--days", "40", "--entities", "60", "--seed", "11", "--states", "20000",
                    "--timezone", "Europe/Berlin", "--out", home, "--truth", folder / "truth.json"], check=True)
    since = ha.log_mark()
    one = Daemon(ha_ai, folder / "service", broker, HISTORY=home, TZ="Europe/Berlin", HA_URL=ha.url,
                 HA_TOKEN=ha.token).start()
    ha.wait_state(SELECT, "–", timeout=30)
    ha.ws("lovelace/dashboards/create", url_path=URL, title="HA AI", icon="mdi:lightbulb-auto", mode="storage",
          require_admin=False, show_in_sidebar=True)
    ha.ws("lovelace/config/save", url_path=URL, config=yaml.safe_load(DASHBOARD.read_text()))
    yield one
    assert ha.log_problems(r"(?i)ha[-_ ]ai(?!-test)|lovelace|Template", since) == []
    dashboards = ha.ws("lovelace/dashboards/list")
    ha.ws("lovelace/dashboards/delete", dashboard_id=next(d["id"] for d in dashboards if d["url_path"] == URL))
    assert one.stop() == 0, one.log_text()[-2000:]
    forget(broker, ha, "ha_ai")


def look(ha, path, dark=False, size=(1440, 740)):
    """The text of the dashboard; fails when a card shows an error or is missing."""
    from browser import Browser
    with Browser(ha, size=size, dark=dark) as browser:
        browser.open(f"/{URL}/suggestions", "hui-sections-view hui-card")
        browser.screenshot(path)
        assert browser.page.locator(BROKEN).filter(visible=True).count() == 0, browser.text()
        sections = yaml.safe_load(DASHBOARD.read_text())["views"][0]["sections"]
        sections = [section for section in sections if "visibility" not in section or ha.state(SELECT) != "–"]
        assert browser.page.locator("hui-card").count() >= sum(len(section["cards"]) for section in sections)
        return browser.text()


def test_every_entity_is_one_of_the_device(ha, shown):
    named = set(re.findall(r"\b(?:sensor|select|button|switch|number|image|event|binary_sensor)\.ha_ai_\w+",
                           DASHBOARD.read_text()))
    ours = {e["entity_id"] for e in ha.entities(ha.device("ha_ai")["id"])}
    assert len(named) >= 10 and named <= ours, named - ours


def test_nothing_to_decide(ha, shown, pictures):
    text = look(ha, pictures / "dashboard-empty.png")
    assert "Nothing waits for you" in text and "Analyze now" in text
    assert "Approve" not in text and "Evidence" not in text  # there is nothing to approve


def test_with_suggestions(ha, shown, pictures):
    ha.call_service("button", "press", entity_id="button.ha_ai_analyze_now")
    wait_until(lambda: ha.state(SELECT) != "–", 60, "a suggestion")
    options = wait_until(lambda: [o for o in ha.states()[SELECT]["attributes"]["options"] if o != "–"], 20, "options")
    title = next((o for o in options if " at " in o), options[0])
    ha.call_service("select", "select_option", entity_id=SELECT, option=title)
    ha.wait_state(SELECT, title)
    for dark in (False, True):
        text = look(ha, pictures / f"dashboard-{'dark' if dark else 'light'}.png", dark)
        for word in (title, "Approve", "Reject", "Evidence", "right", "Every day", "Days of history"):
            assert word in text, word
        assert "Nothing waits" not in text
    look(ha, pictures / "dashboard-phone.png", size=(412, 1900))


def test_its_buttons_act(ha, shown):
    from browser import Browser
    title = ha.state(SELECT)
    with Browser(ha, size=(1440, 1000)) as browser:
        browser.open(f"/{URL}/suggestions", "hui-sections-view hui-card")
        browser.page.locator("hui-tile-card", has_text="Reject").first.click()
        wait_until(lambda: ha.state(SELECT) != title, 15, "the rejection")
    assert ha.states()["event.ha_ai_suggestion"]["attributes"]["event_type"] == "rejected"
