"""What a review says of a deployed automation is offered, and done, in a real Home Assistant: another time in the place
of the old one, under the same id, and back; the end of what nobody needs; nothing for what a person made theirs."""
import datetime
import json
import os
import random
import subprocess
import time

import pytest

from broker import Broker
from daemon import Daemon
from homeassistant import HomeAssistant, wait_until
from listener import Listener
from service import CLOCK_HOME, COMPLETE, DEVICE, EVENT, RUN, approve_made, schema_of

DAYS, DEPLOYED_FOR, CHANGED_AFTER, MOVED_MIN = 90, 60, 15, 50
SWITCHED = ("light", "switch", "fan", "input_boolean")
NEW, APPROVED, DEPLOYED, FAILED, REJECTED, RETIRED, TRYING, SNOOZED, EXPIRED, UNDONE, EDITED, REFINED = range(12)
SAFE_S = 3600 * 2  # of a habit's time from midnight


def found_by(ha_ai, database, until):
    """What is suggested up to then, by its only entity: plain rules of the clock that switch it on."""
    answer = subprocess.run([ha_ai, "analyze", "--history", database, "--timezone", "UTC", "--format", "json", "--until",
                             until], check=True, stdout=subprocess.PIPE)
    return {one["entity_ids"][0]: one for one in json.loads(answer.stdout)["suggestions"]
            if one["kind"] == "time_of_day" and len(one["entity_ids"]) == 1
            and one["automation"]["actions"][0]["action"].endswith(".turn_on")}


def is_plain(habit):
    hours, minutes, _ = map(int, habit["at"].split(":"))
    return (habit.get("begins") == "time" and habit["state"] == "on" and habit["day_class"] == "all"
            and habit["entity_id"].split(".")[0] in SWITCHED and not habit.get("members")
            and SAFE_S < hours * 3600 + minutes * 60 < 86400 - SAFE_S)


def simulate(ha_ai, folder, seed, *more):
    subprocess.run([ha_ai, "simulate", *CLOCK_HOME, "--days", str(DAYS), "--entities", "60", "--habits", "8",
                    "--kinds", "time_of_day", "--gates", "none", "--trouble", "none", "--anomalies", "none",
                    "--adherence", "0.9,0.95", "--sigma", "2,4", "--seed", str(seed), "--timezone", "UTC",
                    "--states", str(DAYS * 300), "--truth", folder / "truth.json", *more], check=True)
    return json.loads((folder / "truth.json").read_text())


def make_home(ha_ai, folder, seed, schema):
    """A home that lived with three rules, of which one's habit moved and two others' ended, and the rules; None when
    this seed's home has no such habits, or chance hides the change."""
    truth = simulate(ha_ai, folder, seed, "--out", folder / "plain.db")
    end = datetime.datetime.fromisoformat(truth["recorded"]["to"].replace("Z", "+00:00"))
    since = end - datetime.timedelta(days=DEPLOYED_FOR)
    day = str((since + datetime.timedelta(days=CHANGED_AFTER)).date())
    found = found_by(ha_ai, folder / "plain.db", since.strftime("%Y-%m-%dT%H:%M:%SZ"))
    (folder / "plain.db").unlink()
    chosen = [index for index, habit in enumerate(truth["habits"]) if is_plain(habit) and habit["entity_id"] in found][:3]
    if len(chosen) < 3:
        return None
    plan = {"rules": [], "changes": []}
    for number, index in enumerate(chosen):
        plan["rules"].append({"id": f"rule{number}", "state": "deployed", "since": since.strftime("%Y-%m-%dT%H:%M:%SZ"),
                              "family": found[truth["habits"][index]["entity_id"]]["id"].split("#")[0],
                              "automation": found[truth["habits"][index]["entity_id"]]["automation"]})
        plan["changes"].append({"habit": index, "day": day, "minutes": MOVED_MIN,
                                "kind": "moved" if number == 0 else "stopped"})
    known = folder / "known.json"
    known.write_text(json.dumps(plan))
    simulate(ha_ai, folder, seed, "--deployed", known, "--ha-config", folder / "config", *schema)
    answer = subprocess.run([ha_ai, "analyze", "--history", folder / "config" / "home-assistant_v2.db", "--timezone",
                             "UTC", "--format", "json", "--known", known, "--review-only"], check=True,
                            stdout=subprocess.PIPE)
    verdicts = [review["verdict"] for review in json.loads(answer.stdout)["reviews"]]
    return (plan["rules"], since) if verdicts == ["retime", "retire", "retire"] else None


class Home:
    """Home Assistant and the service with the rules deployed, as if for a long time."""

    def __init__(self, ha_ai, ha_version, folder):
        seed = int(os.environ.get("SEED", random.randrange(10**6)))
        while not (made := make_home(ha_ai, self.clear(folder / "home"), seed, schema_of(ha_version))):
            seed += 1
        print(f"home: seed {seed}")
        self.rules, self.since = made
        config = folder / "home" / "config"
        self.broker = Broker(folder / "broker").start()
        self.ha = HomeAssistant(ha_version, config).start()
        self.ha.add_mqtt(self.broker)
        self.daemon = Daemon(ha_ai, folder / "ha-ai", self.broker, HA_URL=self.ha.url, HA_TOKEN=self.ha.token,
                             HISTORY=config / "home-assistant_v2.db")
        self.daemon.start().wait_healthy()
        self.listener = Listener(self.broker)
        self.deploy()

    @staticmethod
    def clear(folder):
        subprocess.run(["rm", "-rf", folder], check=True)
        folder.mkdir()
        return folder

    def deploy(self):
        """By the service itself; then the database says that it was long ago."""
        self.daemon.stop()
        for rule in self.rules:
            approve_made(self.daemon, rule["id"], rule["automation"], "time_of_day", rule["family"])
        self.daemon.start().wait_healthy()
        for rule in self.rules:
            self.wait_state(rule["id"], DEPLOYED, 60)
        self.daemon.stop()
        self.sql("UPDATE suggestion SET since_ms = ?1, deployed_ms = ?1 WHERE id GLOB 'rule?'",
                 int(self.since.timestamp() * 1000))
        self.daemon.start().wait_healthy()

    def sql(self, text, *values):
        return self.daemon.sql(text, *values)

    def state(self, suggestion):
        found = self.sql("SELECT state FROM suggestion WHERE id = ?", suggestion)
        return found[0][0] if found else None

    def wait_state(self, suggestion, state, timeout=30):
        wait_until(lambda: self.state(suggestion) == state, timeout,
                   f"{suggestion} to be {state} (it is {self.state(suggestion)})")

    def content(self, suggestion):
        ((text,),) = self.sql("SELECT content FROM suggestion WHERE id = ?", suggestion)
        return json.loads(text)

    def proposal(self, base):
        """The id of what is proposed about this one."""
        found = self.sql("SELECT id FROM suggestion WHERE coalesce(json_extract(content, '$.refines'),"
                         " json_extract(content, '$.retires')) = ?", base)
        assert len(found) <= 1, found
        return found[0][0] if found else None

    def analyse(self):
        count = len(self.listener.of(COMPLETE))
        self.listener.publish(RUN)
        wait_until(lambda: len(self.listener.of(COMPLETE)) > count, 120, "the analysis")
        assert self.listener.of(COMPLETE)[-1]["success"], self.listener.of(COMPLETE)[-1]

    def press(self, entity, suggestion=None, **more):
        body = more | {"ts": "2999-01-01T00:00:00Z"} | ({"suggestion": suggestion} if suggestion else {})
        self.listener.publish(f"{DEVICE}/{entity}/set", body)

    def automation(self, rule):
        path = f"/api/config/automation/config/ha_ai_{rule}"
        status, body, *_ = self.ha.request("GET", path, token=self.ha.token)
        return json.loads(body) if status == 200 else None

    def time_of(self, rule):
        return self.automation(rule)["triggers"][0]["at"]

    def close(self):
        assert self.daemon.stop() == 0, self.daemon.log_text()[-3000:]
        self.listener.close()
        self.ha.stop()
        self.broker.stop()


@pytest.fixture(scope="module")
def home(ha_ai, ha_version, tmp_path_factory):
    made = Home(ha_ai, ha_version, tmp_path_factory.mktemp("reviews"))
    yield made
    made.close()


def of(suggestion, *types):
    return lambda event: event["event_type"] in types and event.get("suggestion_id") == suggestion


def minutes(clock):
    hours, minute, *_ = map(int, clock.split(":"))
    return hours * 60 + minute


def test_offered(home):
    """Until they are decided on, all stands as it was; what is offered is renewed, not doubled."""
    before = [home.automation(rule["id"]) for rule in home.rules]
    home.analyse()
    refinement, retirement = home.proposal("rule0"), home.proposal("rule1")
    assert refinement and retirement and home.proposal("rule2")
    assert home.state(refinement) == home.state(retirement) == NEW
    assert home.listener.wait(EVENT, of(refinement, "new"))["explanation"]
    for proposal, rule in ((refinement, "rule0"), (retirement, "rule1")):
        review = home.content(rule)["review"]
        assert review["verdict"] == home.content(proposal)["verdict"] and review["undone"] > 0, review
        assert "log" not in review and "proposal" not in review
    assert home.sql("SELECT title FROM suggestion WHERE id = ?", retirement) == [("Remove: rule1",)]
    titles = home.sql("SELECT id, state FROM suggestion")
    home.analyse()
    assert home.sql("SELECT id, state FROM suggestion") == titles
    assert [home.automation(rule["id"]) for rule in home.rules] == before
    # The habit at its new time is the proposal's, and no second suggestion beside it.
    at = home.content(refinement)["automation"]["triggers"][0]["at"]
    acts = lambda one: (one["entity_ids"], one["automation"]["actions"][0]["action"])  # noqa: E731
    times = [(one, home.content(one)["automation"]["triggers"][0].get("at")) for one, state in titles
             if state == NEW and acts(home.content(one)) == acts(home.content("rule0"))]
    assert [one for one, time_at in times if time_at and abs(minutes(time_at) - minutes(at)) <= 45] == [refinement]
    shown = subprocess.run([home.daemon.binary, "suggestions", "show", "rule0"], env=home.daemon.environment,
                           cwd=home.daemon.folder, check=True, stdout=subprocess.PIPE, text=True).stdout
    assert "verdict      retime" in shown and "undone" in shown


def test_refined_in_its_place_and_back(home):
    refinement, old = home.proposal("rule0"), home.time_of("rule0")
    home.press("approve", refinement)
    deployed = home.listener.wait(EVENT, of(refinement, "deployed"), timeout=40)
    assert deployed and home.listener.wait(EVENT, of("rule0", "refined"))
    assert (home.state("rule0"), home.state(refinement)) == (REFINED, DEPLOYED)
    moved = (minutes(home.time_of("rule0")) - minutes(old) + 720) % 1440 - 720
    assert abs(moved - MOVED_MIN) <= 15, (old, home.time_of("rule0"))
    ours = [e for e, s in home.ha.states().items() if str(s["attributes"].get("id", "")).startswith("ha_ai_")]
    assert len(ours) == len(home.rules), ours
    home.daemon.restart().wait_healthy()
    home.press("undo_last")
    home.listener.wait(EVENT, of(refinement, "undone"), timeout=40)
    home.listener.wait(EVENT, lambda e: of("rule0", "deployed")(e) and e.get("from") == "refined")
    assert (home.state("rule0"), home.state(refinement)) == (DEPLOYED, UNDONE)
    assert home.time_of("rule0") == old


def test_one_that_does_not_run_leaves_the_old_one(home):
    """Home Assistant saves the better one but does not run it: the one before stands in its file again."""
    refinement, old = home.proposal("rule0"), home.automation("rule0")
    entity = next(e for e, s in home.ha.states().items() if s["attributes"].get("id") == "ha_ai_rule0")
    home.ha.call_service("automation", "turn_off", entity_id=entity)
    home.daemon.stop()
    home.sql("UPDATE suggestion SET state = 0 WHERE id = ?", refinement)
    home.daemon.start().wait_healthy()
    home.press("approve", refinement)
    told = home.listener.wait(EVENT, of(refinement, "failed"), timeout=40)
    assert "switched off in HA" in told["reason"]
    wait_until(lambda: home.automation("rule0") == old, 20, "the one before")
    wait_until(lambda: not home.sql("SELECT * FROM undo"), 10, "the end of it")
    assert (home.state("rule0"), home.state(refinement)) == (DEPLOYED, FAILED)
    home.press("reject", refinement)
    home.wait_state(refinement, REJECTED)
    home.ha.call_service("automation", "turn_on", entity_id=entity)
    time.sleep(10)  # theirs.c looks twice
    assert home.state("rule0") == DEPLOYED and home.automation("rule0") == old


def test_killed_at_any_moment(home):
    """Taken in its place and back, killed on the way: it ends as it was wanted, with one automation under the id."""
    refinement, old = home.proposal("rule0"), home.time_of("rule0")
    for delay in (0.0, 0.1, 0.3, 1.0):
        home.daemon.stop()
        home.sql("UPDATE suggestion SET state = 0 WHERE id = ?", refinement)
        home.daemon.start().wait_healthy()
        for entity, states in (("approve", (REFINED, DEPLOYED)), ("undo_last", (DEPLOYED, UNDONE))):
            before = home.state(refinement)
            home.press(entity, refinement if entity == "approve" else None)
            wait_until(lambda: home.state(refinement) != before or home.sql("SELECT * FROM undo"), 10, "the press",
                       every=0.02)
            time.sleep(delay)
            home.daemon.kill()
            home.daemon.start().wait_healthy()
            wait_until(lambda: (home.state("rule0"), home.state(refinement)) == states, 40, f"{entity}, {delay} s")
            assert (home.time_of("rule0") == old) == (states[0] == DEPLOYED)
    assert len([1 for s in home.ha.states().values() if s["attributes"].get("id") == "ha_ai_rule0"]) == 1


def test_retired_and_back(home):
    retirement = home.proposal("rule1")
    home.press("try_first", retirement)
    assert "nothing to try" in home.listener.wait(EVENT, lambda e: "try" in e.get("reason", ""))["reason"]
    home.press("approve", retirement)
    home.listener.wait(EVENT, of("rule1", "retired"), timeout=40)
    home.wait_state(retirement, RETIRED)
    assert home.state("rule1") == RETIRED and home.automation("rule1") is None
    home.press("undo_last")
    home.wait_state("rule1", DEPLOYED)
    assert home.state(retirement) == REJECTED and home.automation("rule1")
    home.analyse()  # its evidence begins anew; what was rejected stays so
    assert home.state(retirement) == REJECTED


def test_theirs_is_left_alone(home):
    """Changed in Home Assistant after it was offered: approving does nothing to it, and the offer ends."""
    retirement = home.proposal("rule2")
    theirs = home.automation("rule2") | {"mode": "restart"}
    home.ha.api("POST", "/api/config/automation/config/ha_ai_rule2", theirs)
    home.listener.wait(EVENT, of("rule2", "edited"), timeout=40)
    home.press("approve", retirement)
    home.listener.wait(EVENT, lambda e: e["event_type"] == "refused" and "which is edited" in e["reason"])
    home.analyse()
    assert home.state(retirement) == EXPIRED and home.automation("rule2")["mode"] == "restart"
    assert home.content("rule2")["review"]["verdict"] == "keep"
