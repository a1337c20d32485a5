"""A real Home Assistant core whose clock stands still until it is told to move on. Runs in Home Assistant's own venv.

    python frozen_core.py [FOLDER...]     # each with home.json and automations.yaml, made by `run`

Without arguments it reads the folders from its input, one a line, and answers each with a line: "done" or "failed".
All automations of a home run in one core, from event to event: to the next state of home.json or to the next timer that
Home Assistant itself has set. Into each FOLDER come `home-assistant_v2.db`, a recorder database made by Home Assistant's
own tables and own rows of the very events that the automations saw, `.storage/core.config`, and `fires.json`:
`automation_triggered` by automation and trigger.

Of time: a state is written at its exact time; whoever asks for the time then, or is called by a timer, reads a hair more
(LATE_US), as on any real machine, where no timer comes early and no time passes in between unseen. At equal times
states (all of them) come before timers, and `for: 5 min` has passed when its timer says so. Home Assistant spreads its clock triggers
over 50 to 500 ms after the full second at random, anew at each start; here it is always the middle, SPREAD_US. The datetimes are real ones (freezegun's lose
`fold`, so that a day with 25 hours goes wrong).
"""
import asyncio
import datetime
import heapq
import json
import logging
import sys
import time
import traceback
from pathlib import Path

LATE_US = 20
SPREAD_US = 275_000
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class Clock:
    """The only time there is, in microseconds since 1970."""

    us = 1704067200_000000

    def time(self):
        return self.us / 1e6

    def utcnow(self):
        return EPOCH + datetime.timedelta(microseconds=self.us)

    def set(self, us):
        self.us = max(self.us, us)


CLOCK = Clock()
time.time = CLOCK.time

# Before anything of Home Assistant imports them.
from homeassistant import util  # noqa: E402
from homeassistant.util import dt as dt_util  # noqa: E402

dt_util.utcnow = util.utcnow = CLOCK.utcnow
dt_util.now = util.now = lambda zone=None: CLOCK.utcnow().astimezone(zone or dt_util.DEFAULT_TIME_ZONE)

from homeassistant.components import automation, logger  # noqa: E402
from homeassistant.const import (  # noqa: E402
    EVENT_HOMEASSISTANT_START, EVENT_HOMEASSISTANT_STARTED, EVENT_HOMEASSISTANT_STOP, EVENT_STATE_CHANGED,
)
from homeassistant.core import Context, CoreState, callback  # noqa: E402
from homeassistant.helpers import event as event_helper, script  # noqa: E402
from homeassistant.setup import async_setup_component  # noqa: E402
from homeassistant.util.yaml import load_yaml  # noqa: E402

# The newest harness was made for the month before 2026.11 and imports this name, which we do not use.
if not hasattr(logger, "_clear_logger_overwrites"):
    logger._clear_logger_overwrites = None
from pytest_homeassistant_custom_component.common import async_test_home_assistant  # noqa: E402

import recorder_file  # noqa: E402
import registries  # noqa: E402

event_helper.time_tracker_utcnow = CLOCK.utcnow
event_helper.time_tracker_timestamp = CLOCK.time
event_helper.RANDOM_MICROSECOND_MIN = event_helper.RANDOM_MICROSECOND_MAX = SPREAD_US


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time is CLOCK's, and which knows what its threads still do."""

    def __init__(self):
        super().__init__()
        self.begin_us = CLOCK.us
        self.in_threads = set()
        self.held = None

    def time(self):
        return (CLOCK.us - self.begin_us) / 1e6

    def run_in_executor(self, executor, func, *args):
        future = super().run_in_executor(executor, func, *args)
        self.in_threads.add(future)
        future.add_done_callback(self.in_threads.discard)
        return future

    def hold(self):
        """No timer set until now comes before release()."""
        if self.held is None:
            self.held, self._scheduled = self._scheduled, []

    def release(self):
        if self.held is not None:
            for handle in self._scheduled:
                heapq.heappush(self.held, handle)
            self._scheduled, self.held = self.held, None

    async def settle(self):
        """Until all that can be done now is done."""
        while True:
            await asyncio.sleep(0)
            if not self._ready:
                if not self.in_threads:
                    return
                await asyncio.wait(set(self.in_threads))

    def next_timer_us(self):
        """When the next timer is due; infinity when none is set."""
        while self._scheduled and self._scheduled[0].cancelled():
            handle = heapq.heappop(self._scheduled)
            handle._scheduled = False
            self._timer_cancelled_count -= 1
        return round(self._scheduled[0].when() * 1e6) + self.begin_us if self._scheduled else float("inf")


def stumbles_over_sun(error):
    """Whether it comes from the sun condition: before 2026 that fails on days without a sunrise or a sunset."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(frame.name == "sun" and frame.filename.endswith("condition.py") for frame in frames)


def watch(contexts, seen, stumbles):
    """Has each call of an automation's trigger noted in `seen`, and in `contexts` which one a run's context comes from.

    `stumbles` gets those in which the sun condition failed. Returns what undoes it.
    """
    async_trigger, async_run = automation.AutomationEntity.async_trigger, script.Script.async_run

    async def noted_trigger(self, run_variables, context=None, skip_condition=False):
        seen.append((self.name, int(run_variables["trigger"]["idx"]), CLOCK.us))
        try:
            return await async_trigger(self, run_variables, context, skip_condition)
        except Exception as error:
            if stumbles_over_sun(error):
                stumbles.append((self.name, CLOCK.us))
            raise

    async def noted_run(self, run_variables=None, context=None, started_action=None):
        contexts[context.id] = (self.name, int(run_variables["trigger"]["idx"]))
        return await async_run(self, run_variables, context, started_action)

    def undo():
        automation.AutomationEntity.async_trigger, script.Script.async_run = async_trigger, async_run

    automation.AutomationEntity.async_trigger, script.Script.async_run = noted_trigger, noted_run
    return undo


class Replay:
    def __init__(self, loop, folder):
        self.loop, self.folder = loop, folder
        self.home = json.loads((folder / "home.json").read_text())
        self.recorder = recorder_file.Recorder()
        self.fires, self.seen, self.stumbles, self.errors = [], [], [], []
        self.hass, self.contexts = None, {}

    # --- one life of the core ------------------------------------------------------------------------------------------

    async def run(self, run, states):
        """From its start to its end, with the states written then."""
        CLOCK.set(run["from"] * 1000 + LATE_US)
        self.loop.set_exception_handler(self.note_exception)
        config = self.folder / f"config-{run['from']}"
        config.mkdir(exist_ok=True)
        async with async_test_home_assistant(config_dir=str(config), initial_state=CoreState.not_running) as hass:
            self.hass = hass
            await self.set_up()
            await self.advance(run["started"], states)
            await self.started()
            await self.advance(run["to"], states)
            # What it had set goes with it; what is written while it stops is no part of this.
            for event_type in (EVENT_STATE_CHANGED, automation.EVENT_AUTOMATION_TRIGGERED):
                hass.bus._listeners.pop(event_type, None)
            if run["clean"]:
                self.note_event(EVENT_HOMEASSISTANT_STOP)
            await self.stop()

    async def set_up(self):
        hass, place = self.hass, self.home["place"]
        hass.config.latitude, hass.config.longitude = place["latitude"], place["longitude"]
        hass.config.elevation = place["elevation"]
        await hass.config.async_set_time_zone(place["time_zone"])
        if self.home.get("registry"):
            registries.fill(hass, self.home["registry"])
            registries.save(hass, self.folder / ".storage")
        for domain, service in self.home["services"]:
            hass.services.async_register(domain, service, lambda call: None)
        hass.bus.async_listen(automation.EVENT_AUTOMATION_TRIGGERED, self.note_fire)
        hass.bus.async_listen(EVENT_STATE_CHANGED, self.note_state)
        listed = await hass.async_add_executor_job(load_yaml, str(self.folder / "automations.yaml"))
        listed = listed if isinstance(listed, list) else [listed]
        if not await async_setup_component(hass, "automation", {"automation": listed}):
            raise RuntimeError("the automation integration did not start")
        await self.loop.settle()
        made = hass.data[automation.DATA_COMPONENT].entities
        refused = [str(a.name) for a in made if not isinstance(a, automation.AutomationEntity)]
        if refused or len(list(made)) != len(listed):
            raise RuntimeError(f"Home Assistant refuses automations: {refused or 'some of them'}; see its log above")

    async def started(self):
        """It has started: automations come to life."""
        await self.hass.async_start()
        self.note_event(EVENT_HOMEASSISTANT_START)
        self.note_event(EVENT_HOMEASSISTANT_STARTED)
        await self.loop.settle()

    async def stop(self):
        self.loop.set_exception_handler(lambda loop, context: None)
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()
        await self.loop.settle()
        await self.hass.async_stop(force=True)
        await self.loop.settle()
        while self.loop.next_timer_us() < float("inf"):
            self.loop._scheduled[0].cancel()
        self.hass = None

    async def advance(self, until_ms, states):
        """Writes the states and lets the timers come that are due before `until_ms`, in their order."""
        until_us = until_ms * 1000
        while True:
            await self.loop.settle()
            timer_us = self.loop.next_timer_us()
            state_ms = states[-1][0] if states else float("inf")
            due_us = min(state_ms * 1000, timer_us)
            if due_us >= until_us:
                break
            CLOCK.set(due_us + LATE_US)
            if state_ms * 1000 <= timer_us:
                self.loop.hold()
                while states and states[-1][0] == state_ms:
                    self.write(*states.pop())
                    await self.loop.settle()
                self.loop.release()
        CLOCK.set(until_us)

    def write(self, time_ms, entity_id, state, attributes, user_id, force):
        timestamp = time_ms / 1000
        context = Context(user_id=user_id)
        if state is None:
            self.hass.states.async_remove(entity_id, context=context)
        else:
            self.hass.states.async_set(entity_id, state, attributes, force_update=force, context=context,
                                       timestamp=timestamp)

    # --- what is seen --------------------------------------------------------------------------------------------------

    @callback
    def note_fire(self, event):
        self.fires.append((*self.contexts[event.context.id], CLOCK.us))

    @callback
    def note_state(self, event):
        if not event.data["entity_id"].startswith("automation."):
            self.recorder.add_state(event, LATE_US / 1e6)

    def note_event(self, event_type):
        self.recorder.add_event(event_type, CLOCK.us / 1e6)

    def note_exception(self, loop, context):
        error = context.get("exception")
        self.errors.append(context["message"] + "".join(traceback.format_exception(error) if error else []))

    # --- a home --------------------------------------------------------------------------------------------------------

    async def replay(self):
        undo = watch(self.contexts, self.seen, self.stumbles)
        try:
            for run in self.home["runs"]:
                states = [s for s in self.home["states"] if run["from"] <= s[0] < run["to"]]
                states.reverse()
                await self.run(run, states)
        finally:
            undo()
        self.recorder.write(self.folder, self.home)
        (self.folder / "fires.json").write_text(json.dumps(
            {"fires": self.fires, "triggered": self.seen, "stumbles": self.stumbles, "errors": self.errors}))


def replay(folder):
    CLOCK.us = json.loads((folder / "home.json").read_text())["runs"][0]["from"] * 1000
    loop = Loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(Replay(loop, folder).replay())
    finally:
        loop.close()


def main(folders):
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(name)s: %(message)s")
    for folder in folders or map(str.strip, sys.stdin):
        print(f"-- {folder}", file=sys.stderr)
        try:
            replay(Path(folder))
        except Exception:
            traceback.print_exc()
            print("failed", flush=True)
        else:
            print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
