"""A home with many habits: ten suggestions are offered at once, best first, and the rest is kept."""
import collections
import json
import subprocess

from homeassistant import wait_until
from listener import Listener
from service import CLOCK_HOME, COMPLETE, DEVICE, RUN

CONFIG = "homeassistant/device/ha_ai/config"


def options(listener):
    message = json.loads(listener.last(CONFIG) or "{}")
    return message.get("components", {}).get("selected_suggestion", {}).get("options", [])


def test_ten_are_offered(ha_ai, services, mosquitto, tmp_path):
    history = tmp_path / "home-assistant_v2.db"
    subprocess.run([ha_ai, "simulate", *CLOCK_HOME, "--habits", "30", "--adherence", "0.95,0.95", "--sigma", "3,4",
                    "--days", "30", "--seed", "1", "--entities", "200", "--states", "8000", "--out", history, "--truth",
                    tmp_path / "truth.json"], check=True)
    analyze = [ha_ai, "analyze", "--history", history, "--timezone", "UTC"]
    answer = json.loads(subprocess.run([*analyze, "--format", "json"], check=True, stdout=subprocess.PIPE).stdout)
    titles = [s["title"] for s in answer["suggestions"]]
    assert len(titles) > 12
    assert [s["shown"] for s in answer["suggestions"]] == [i < 10 for i in range(len(titles))]
    text = subprocess.run(analyze, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert f"{len(titles) - 10} more are kept: --all shows them." in text
    assert titles[9] in text and titles[10] not in text
    explained = json.loads(subprocess.run([*analyze, "--format", "json", "--explain"], check=True,
                                          stdout=subprocess.PIPE).stdout)
    reasons = collections.Counter(one["reason"] for one in explained["explained"])
    assert reasons == {reason: n for reason, n in explained.pop("dropped").items() if reason != "machine_acts"}
    assert "\nNot suggested" in subprocess.run([*analyze, "--explain"], check=True, stdout=subprocess.PIPE, text=True).stdout
    text = subprocess.run([*analyze, "--all"], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert all(title in text for title in titles)

    with Listener(mosquitto, topics=("ha-ai/#", CONFIG)) as listener:
        one = services(HISTORY=history, TZ="UTC").start().wait_healthy()
        listener.publish(RUN)
        listener.wait(COMPLETE)
        wait_until(lambda: options(listener) == titles[:10], 10, "ten options")
        assert one.health()[1]["suggestions_waiting"] == len(titles)
        told = {p["title"]: p["entities"] for p in listener.of("ha-ai/events/pattern/detected")}
        assert told == {s["title"]: s["entity_ids"] for s in answer["suggestions"]}
        listener.publish(f"{DEVICE}/reject/set", {"ts": "2999-01-01T00:00:00Z"})
        wait_until(lambda: options(listener) == titles[1:11], 10, "the eleventh in place of the first")
