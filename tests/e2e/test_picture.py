"""The picture of a suggestion's evidence: what it counts against the back-test, the SVG at the broker, and in Home
Assistant."""
import json
import os
import random
import subprocess
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from broker import Broker
from daemon import Daemon
from homeassistant import wait_until
from listener import Listener
from service import COMPLETE, DEVICE, RUN, simulated_home
from test_device import forget

ROOT = Path(__file__).resolve().parents[2]
IMAGE = f"{DEVICE}/evidence/state"
SVG = "{http://www.w3.org/2000/svg}"
NUMBERS = ("hits", "idle", "misses")
KINDS = ("fires_hit", "fires_idle", "fires_wrong")
MIXES = ((), ("--kinds", "chain", "--adherence", "0.85,0.95"), ("--kinds", "left_on", "--habits", "4"),
         ("--kinds", "time_of_day,sequence"))
MARKS = ("acts_hit", "acts_other", *KINDS)


def marks(picture, kind):
    return [divmod(int(mark), 1440) for mark in picture[kind].split()]


def check_picture(suggestion):
    """Every mark is on a recorded day; fires of the held-out days are those of the back-test."""
    picture, backtest = suggestion["picture"], suggestion["backtest"]
    days = picture["days"]
    assert 1 <= len(days) <= 90 and set(days) <= set("th.-") and days[-1] != "-", days
    assert (picture["of"] == "uses") == (suggestion["kind"] == "left_on")
    assert sum(len(marks(picture, kind)) for kind in MARKS) <= 1000
    assert len(json.dumps(picture)) < 9000
    for kind in MARKS:
        found = marks(picture, kind)
        assert found == sorted(set(found)), kind
        assert all(0 <= day < len(days) and days[day] != "-" for day, _ in found), kind
        assert kind.startswith("acts") or suggestion["kind"] == "left_on" or all(days[d] in "th" for d, _ in found)
    is_whole = days.count("h") == backtest["held_out_days"]
    for kind, number in zip(KINDS, NUMBERS):
        drawn = sum(days[day] == "h" for day, _ in marks(picture, kind))
        if suggestion["kind"] in ("time_of_day", "sun") and is_whole:
            assert drawn == backtest[number], (kind, suggestion["title"])
        else:  # several within a minute are one, and a busy rule has fewer days
            assert drawn <= backtest[number], (kind, suggestion["title"])
    if suggestion["kind"] in ("time_of_day", "sun"):
        assert len(marks(picture, "acts_hit")) == len(marks(picture, "fires_hit")) > 0
    return suggestion["kind"]


def test_what_is_drawn_is_what_was_counted(ha_ai, tmp_path):
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    seen, held_out_hits = set(), 0
    for number in range(seed, seed + 12):
        home = tmp_path / f"{number}.db"
        kinds = MIXES[(number - seed) % len(MIXES)]
        subprocess.run([ha_ai, "simulate", "--days", "60", "--entities", "60", *kinds, "--seed", str(number), "--states", "20000",
                        "--timezone", "Europe/Berlin", "--out", home, "--truth", tmp_path / f"{number}.json"], check=True)
        answer = subprocess.run([ha_ai, "analyze", "--history", home, "--timezone", "Europe/Berlin", "--format", "json"],
                                check=True, stdout=subprocess.PIPE)
        for suggestion in json.loads(answer.stdout)["suggestions"]:
            print(f"seed {number}: {suggestion['title']}")
            seen.add(check_picture(suggestion))
            held_out_hits += suggestion["backtest"]["hits"]
            for part in suggestion.get("parts", []):
                check_picture(part)
        home.unlink()
    assert {"time_of_day", "sequence", "chain", "left_on"} <= seen and held_out_hits > 0, f"{seen} (SEED={seed})"


def parse(svg):
    """The picture as XML; it has no script, and refers to nothing outside."""
    assert len(svg.encode()) <= 64 * 1024
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    for element in root.iter():
        assert element.tag.startswith(SVG) and element.tag != f"{SVG}script"
        for name, value in element.attrib.items():
            assert not name.startswith("on") and "href" not in name, (element.tag, name)
            assert "//" not in value and "javascript" not in value, value
    assert "import" not in svg and svg.count("url(") == svg.count("url(#n)")
    return root


def title_of(svg):
    return parse(svg).find(f"{SVG}title").text


def as_titled(title):
    """What a picture shows of a suggestion's title: PLOT_TITLE_CHARS of it."""
    return title if len(title) <= 112 else title[:112] + "…"


def analysed(services, listener, home, **settings):
    before = len(listener.of(COMPLETE))
    one = services(HISTORY=home, TZ="UTC", **settings).start().wait_healthy()
    listener.publish(RUN)
    listener.wait(COMPLETE, count=before + 1)
    wait_until(lambda: one.health()[1]["suggestions_waiting"] >= 3, 5, "the suggestions")
    return one


def test_it_follows_the_selection(services, listener, home):
    service = services(HISTORY=home, TZ="UTC").start().wait_healthy()
    wait_until(lambda: listener.last(IMAGE), 10, "a picture")
    assert title_of(listener.last(IMAGE)) == "No suggestion is selected"
    listener.publish(RUN)
    listener.wait(COMPLETE)
    state = f"{DEVICE}/selected_suggestion/state"
    wait_until(lambda: listener.last(state) not in (None, "–"), 10, "a selection")
    wait_until(lambda: title_of(listener.last(IMAGE)) == as_titled(listener.last(state)), 10, "its picture")
    attributes = json.loads(listener.last(f"{DEVICE}/selected_suggestion/attributes"))
    assert "picture" not in attributes and attributes["explanation"]
    first = listener.last(state)
    listener.publish(f"{DEVICE}/selected_suggestion/set", {"value": first, "id": "picture-0"})  # meant, not moved
    listener.publish(f"{DEVICE}/reject/set", {"id": "picture-1"})
    wait_until(lambda: listener.last(state) != first, 10, "the next one")
    wait_until(lambda: title_of(listener.last(IMAGE)) == as_titled(listener.last(state)), 10, "its picture")
    # what does not change it does not publish it
    count = sum(message.topic == IMAGE for _, message in listener.messages)
    listener.publish(f"{DEVICE}/daily_analysis/set", {"value": "OFF"})
    wait_until(lambda: listener.last(f"{DEVICE}/daily_analysis/state") == "OFF", 10, "the switch")
    listener.publish(f"{DEVICE}/selected_suggestion/set", {"value": listener.last(state), "id": "picture-2"})
    time.sleep(1)
    assert sum(message.topic == IMAGE for _, message in listener.messages) == count
    assert service.alive()


def test_a_broker_with_small_packets(ha_ai, services, home, tmp_path):
    """What the broker would refuse is not sent: the picture says that there is none."""
    folder = tmp_path / "discovery"
    folder.mkdir()
    (folder / "evidence.json").write_text((ROOT / "discovery" / "evidence.json").read_text())  # a small announcement
    with Broker(tmp_path / "small", settings="max_packet_size 1000000") as broker, Listener(broker) as listener:
        one = analysed(services, listener, home, broker=broker, DISCOVERY_DIR=folder)
        wait_until(lambda: listener.last(IMAGE) and "No suggestion" not in listener.last(IMAGE), 10, "a picture")
        size = len(listener.last(IMAGE).encode())
        assert "There is no picture" not in listener.last(IMAGE)
        assert one.stop() == 0
        broker.stop()
        config = broker.folder / "mosquitto.conf"
        config.write_text(config.read_text().replace("1000000", str(size - 100)))
        broker.start()
        one.start().wait_healthy()
        wait_until(lambda: "There is no picture" in listener.last(IMAGE), 20, "the picture to say so")
        parse(listener.last(IMAGE))
        assert "cannot be sent" not in one.log_text()


@pytest.fixture(scope="module")
def shown(ha, ha_ai, broker, tmp_path_factory):
    """A service in Home Assistant with some suggestions."""
    folder = tmp_path_factory.mktemp("shown")
    home = simulated_home(ha_ai, folder)
    one = Daemon(ha_ai, folder / "service", broker, INSTANCE="shown", HISTORY=home, TZ="UTC").start()
    ha.wait_state("button.shown_analyze_now", "unknown", timeout=20)
    ha.call_service("button", "press", entity_id="button.shown_analyze_now")
    wait_until(lambda: ha.state("sensor.shown_suggestions_waiting") not in ("0", "unknown", "unavailable"), 60,
               "suggestions")
    yield one
    assert one.stop() == 0, one.log_text()[-2000:]
    forget(broker, ha, "shown")


def fetch_image(ha):
    """What a card shows."""
    state = ha.states()["image.shown_evidence"]
    status, text, headers = ha.request("GET", state["attributes"]["entity_picture"])
    assert status == 200 and headers["Content-Type"].startswith("image/svg+xml")
    return state["state"], text


def test_home_assistant_shows_it(ha, shown):
    since = ha.log_mark()
    select = "select.shown_selected_suggestion"
    wait_until(lambda: title_of(fetch_image(ha)[1]) == as_titled(ha.state(select)), 20, "the picture of the selected one")
    stamp = fetch_image(ha)[0]
    ha.call_service("switch", "turn_off", entity_id="switch.shown_daily_analysis")
    ha.wait_state("switch.shown_daily_analysis", "off")
    assert fetch_image(ha)[0] == stamp  # the recorder gets no row
    other = next(o for o in ha.states()[select]["attributes"]["options"] if o != ha.state(select))
    ha.call_service("select", "select_option", entity_id=select, option=other)
    wait_until(lambda: title_of(fetch_image(ha)[1]) == as_titled(other), 10, "the other picture")
    assert fetch_image(ha)[0] != stamp
    attributes = ha.states()["image.shown_evidence"]["attributes"]
    assert set(attributes) <= {"access_token", "entity_picture", "friendly_name", "icon"}
    assert ha.log_problems("(?i)shown|ha[-_]ai|image", since) == []


@pytest.mark.parametrize("dark", [False, True])
def test_it_is_seen(ha, shown, pictures, dark):
    """The panel of its own reads on both themes."""
    from browser import Browser
    with Browser(ha, size=(1280, 1240), dark=dark) as browser:
        text = browser.device_page(ha.device("shown")["id"], pictures / f"evidence-page-{'dark' if dark else 'light'}.png")
        assert "Evidence" in text
        browser.page.goto(ha.url + ha.states()["image.shown_evidence"]["attributes"]["entity_picture"])
        browser.settle(5, 0.5)
        browser.screenshot(pictures / f"evidence-{'dark' if dark else 'light'}.png")
