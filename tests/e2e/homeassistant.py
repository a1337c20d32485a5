"""A real Home Assistant for the tests: installed by provision.py, configured, started, logged in to, spoken to.

    ha = HomeAssistant("2025.4.4", folder)      # the folder may be empty, or made by `ha-ai simulate --ha-config`
    ha.start(); ha.add_mqtt(broker)
    ha.call_service("input_boolean", "turn_on", entity_id="input_boolean.lamp")
    ha.wait_state("input_boolean.lamp", "on")
    ha.stop()

It listens on loopback only, installs nothing at run time, and dies with the process that started it.
"""
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import provision  # noqa: E402
from websocket_api import WebSocket  # noqa: E402

USER, PASSWORD = "owner", "ha-ai-test"
# bcrypt of PASSWORD, as Home Assistant's own user store keeps it (base64 of the hash).
PASSWORD_HASH = "JDJiJDA0JDIub1lLT2UvL1k5VkpoUmFla0FUZXVtLlFweXh4TEt2andUSHBtYVJsSEMwRG8vUHJJa1U2"

CONFIGURATION = {
    "api": "", "config": "", "recorder": "", "history": "", "logbook": "", "frontend": "", "script": "",
    "template": "", "sun": "", "zone": "", "light": "", "switch": "", "input_select": "", "input_number": "",
    "input_datetime": "", "input_boolean": " {lamp: , door: }", "automation": " !include automations.yaml",
}
# mqtt_subscribe needs to see the subscriptions; more of mqtt's debug lines make Home Assistant warn of their number.
LOGGER = "logger: {default: warning, logs: {homeassistant.components.mqtt.client: debug}}\n"


class ApiError(Exception):
    """Home Assistant refused a request; `status` and `text` are its answer."""

    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status, self.text = status, text


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(question, timeout=30, what="the condition", every=0.1):
    """Asks until the answer is true and returns it; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout} s for {what}")
        time.sleep(every)
    return answer


def die_with_parent():
    """For preexec_fn: the child gets SIGKILL when the thread that started it ends, so nothing outlives a killed test."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def write_store(folder, name, version, data, minor_version=1):
    """Writes a file of .storage unless it exists."""
    path = Path(folder) / ".storage" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(json.dumps({"version": version, "minor_version": minor_version, "key": name, "data": data}))


def configure(folder, version, port):
    """Makes `folder` one that Home Assistant starts from: adds what is missing, keeps what somebody else wrote.

    Only `http` and `logger` are replaced. Users and onboarding are written rather than clicked: onboarding through the
    API would add integrations that fetch weather and radio stations from the internet.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("configuration.yaml", ""), ("automations.yaml", "[]\n")):
        if not (folder / name).exists():
            (folder / name).write_text(text)
    text = (folder / "configuration.yaml").read_text()
    text = re.sub(r"^(http|logger):.*\n?(?:[ \t#].*\n?|\n)*", "", text, flags=re.M)
    if text and not text.endswith("\n"):
        text += "\n"
    present = set(re.findall(r"^(\w+)(?: \w+)?:", text, re.M))
    if "default_config" not in present:
        text += "".join(f"{key}:{value}\n" for key, value in CONFIGURATION.items() if key not in present)
    text += LOGGER
    if version < (2026,):
        text += f"http: {{server_host: 127.0.0.1, server_port: {port}}}\n"
    else:
        stable = {"server_host": ["127.0.0.1"], "server_port": port, "cors_allowed_origins": [],
                  "login_attempts_threshold": -1, "ip_ban_enabled": False, "use_x_frame_options": True,
                  "ssl_profile": "intermediate_v6", "created_at": "2026-11-01T00:00:00+00:00", "error": None,
                  "error_message": None}
        (folder / ".storage" / "http").unlink(missing_ok=True)
        write_store(folder, "http", 3, {"stable": stable, "pending": None, "yaml_migration_done": True})
    (folder / "configuration.yaml").write_text(text)
    write_store(folder, "onboarding", 4, {"done": ["user", "core_config", "analytics", "integration"]})
    write_store(folder, "auth_provider.homeassistant", 1, {"users": [{"username": USER, "password": PASSWORD_HASH}]})


class HomeAssistant:
    """One Home Assistant on one folder and one loopback port.

    `token` is a long-lived admin's token, `url` the address, `log` the file with all it ever said on this folder.
    """

    def __init__(self, version, folder, port=None):
        self.version = version
        self.folder = Path(folder).resolve()
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.folder / "console.log"
        self.token = None
        self._process = None
        self._started = 0
        self._ws = None
        configure(self.folder, tuple(int(n) for n in version.split(".")), self.port)

    # --- its life -----------------------------------------------------------------------------------------------------

    def start(self, timeout=180):
        """Starts it and waits until it is RUNNING and `token` is valid."""
        install, root = provision.make_ha(self.version)
        venv = "/opt/ha" if root else str(install)
        command = [f"{venv}/bin/hass", "--config", "/config" if root else str(self.folder), "--log-no-color"]
        if root:
            command = provision.in_root(root, command, [
                (install, venv), (self.folder, "/config"), ("/dev/null", "/etc/resolv.conf")])
        environment = {
            "PATH": f"{venv}/bin:{provision.SYSTEM_PATH}", "VIRTUAL_ENV": venv, "HOME": "/tmp", "LANG": "C.UTF-8",
            "UV_OFFLINE": "1", "PIP_NO_INDEX": "1", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1",
        }
        self._started = self.log_mark()
        with open(self.log, "a") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                                             start_new_session=True, preexec_fn=die_with_parent)
        wait_until(self._running, timeout, f"Home Assistant to run (see {self.log})")
        return self

    def _running(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"Home Assistant ended with {self._process.returncode}:\n{self.log.read_text()[-3000:]}")
        if broken := self.log_problems("core failed to initialize", self._started):
            raise RuntimeError(f"{broken[0]} (see {self.log})")
        try:
            if not self.token:
                self.token = self._log_in()
            config = self.api("GET", "/api/config")
            if config["recovery_mode"]:
                raise RuntimeError(f"Home Assistant is in recovery mode (see {self.log})")
            return config["state"] == "RUNNING"
        except (OSError, ApiError) as error:
            if isinstance(error, ApiError) and error.status == 401:
                self.token = None
            return False

    def stop(self, timeout=90):
        """Ends it as a user would; true if it went by itself."""
        if not self.alive():
            return True
        self._close_ws()
        self._process.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def kill(self):
        """A crash: SIGKILL to all of its processes. It loses what it has not written, perhaps the token: for its first five
        minutes Home Assistant keeps that in memory alone, unless it is stopped in between."""
        self._close_ws()
        if self.alive():
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def restart(self):
        self.stop()
        return self.start()

    def alive(self):
        return self._process is not None and self._process.poll() is None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    def request(self, method, path, body=None, form=None, token=None, timeout=30):
        """(status, text, headers) of any request; `body` goes as JSON, `form` as a form."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        elif form is not None:
            data = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=timeout) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace"), error.headers

    def api(self, method, path, body=None, token=None, **kwargs):
        """The JSON answer (the text if it is none) of a request with our token; ApiError unless 2xx."""
        status, text, _ = self.request(method, path, body, token=token or self.token, **kwargs)
        if status // 100 != 2:
            raise ApiError(status, text)
        try:
            return json.loads(text)
        except ValueError:
            return text

    def states(self):
        """{entity id: its state object}"""
        return {state["entity_id"]: state for state in self.api("GET", "/api/states")}

    def state(self, entity_id):
        """The state's word, None without such an entity."""
        found = self.states().get(entity_id)
        return found and found["state"]

    def wait_state(self, entity_id, *wanted, timeout=30):
        """Waits until the entity has one of the `wanted` states, and returns its state object."""
        wait_until(lambda: self.state(entity_id) in wanted, timeout, f"{entity_id} to be {' or '.join(wanted)}")
        return self.states()[entity_id]

    def call_service(self, domain, service, **data):
        return self.api("POST", f"/api/services/{domain}/{service}", data)

    def template(self, text):
        return self.api("POST", "/api/template", {"template": text})

    # --- users --------------------------------------------------------------------------------------------------------

    def _log_in(self, user=USER, password=PASSWORD):
        """A long-lived token of a user, by the road the login page takes."""
        client = self.url + "/"
        flow = self.api("POST", "/auth/login_flow", {
            "client_id": client, "handler": ["homeassistant", None], "redirect_uri": client})
        answer = self.api("POST", f"/auth/login_flow/{flow['flow_id']}", {
            "client_id": client, "username": user, "password": password})
        status, text, _ = self.request("POST", "/auth/token", form={
            "client_id": client, "grant_type": "authorization_code", "code": answer.get("result")})
        if status != 200:
            raise ApiError(status, text)
        ws = WebSocket(self.port, json.loads(text)["access_token"])
        try:
            return ws.call("auth/long_lived_access_token", client_name=f"test {time.time_ns()}", lifespan=30)
        finally:
            ws.close()

    def add_user(self, name, password="ha-ai-test-2", admin=False):
        """Makes a user and returns a long-lived token of theirs."""
        group = "system-admin" if admin else "system-users"
        user = self.ws("config/auth/create", name=name, group_ids=[group])["user"]
        self.ws("config/auth_provider/homeassistant/create", user_id=user["id"], username=name, password=password)
        return self._log_in(name, password)

    # --- WebSocket ----------------------------------------------------------------------------------------------------

    def ws(self, command, **arguments):
        """The result of a WebSocket command; WebSocketError if it is refused."""
        return self.websocket().call(command, **arguments)

    def subscribe(self, command, **arguments):
        """Events of a subscription: `subscribe("subscribe_events", event_type="call_service").get(timeout)`."""
        return self.websocket().subscribe(command, **arguments)

    def websocket(self):
        if self._ws is None or not self._ws.connected:
            self._ws = WebSocket(self.port, self.token)
        return self._ws

    def _close_ws(self):
        if self._ws:
            self._ws.close()
        self._ws = None

    def devices(self):
        return self.ws("config/device_registry/list")

    def device(self, identifier, domain="mqtt"):
        """The device with that identifier, None without."""
        return next((d for d in self.devices() if [domain, identifier] in d["identifiers"]), None)

    def entities(self, device_id=None):
        """The entity registry's entries, of one device if given."""
        return [e for e in self.ws("config/entity_registry/list") if device_id in (None, e["device_id"])]

    # --- MQTT ---------------------------------------------------------------------------------------------------------

    def add_mqtt(self, broker):
        """Adds the MQTT integration for a Broker, and waits until it is connected."""
        known = {"broker": "127.0.0.1", "port": broker.port, "username": broker.user, "password": broker.password,
                 "protocol": "5", "set_ca_cert": "off"}
        return self.add_integration("mqtt", known)

    def add_integration(self, handler, known):
        """Goes through a config flow: fields from `known`, else what is required gets its default."""
        flow = self.api("POST", "/api/config/config_entries/flow", {"handler": handler, "show_advanced_options": True})
        while flow["type"] in ("form", "menu"):
            answer = ({"next_step_id": flow["menu_options"][0]} if flow["type"] == "menu"
                      else fill(flow["data_schema"], known))
            after = self.api("POST", f"/api/config/config_entries/flow/{flow['flow_id']}", answer)
            if after.get("errors"):
                raise ApiError(400, f"{handler} flow: {after['errors']} for {answer}")
            flow = after
        if flow["type"] != "create_entry":
            raise ApiError(400, f"{handler} flow ended: {flow}")
        entry = flow["result"]["entry_id"]
        wait_until(lambda: self._entry_state(entry) == "loaded", 30, f"{handler} to load")
        return entry

    def mqtt_subscribe(self, topic):
        """What Developer Tools' "Listen to a topic" shows, as a subscription.

        Home Assistant says yes at once and subscribes at the broker up to some seconds later; this returns only when
        the broker has it: a message that it acknowledges on the same connection came after the subscription.
        """
        subscription = self.subscribe("mqtt/subscribe", topic=topic)
        line = rf"Subscribing with mid.*(?:'| topic ){re.escape(topic)}(?:'| )"
        wait_until(lambda: any(re.search(line, text) for _, text in self.log_records(self._started)), 30,
                   f"Home Assistant to subscribe to {topic}")
        self.call_service("mqtt", "publish", topic="test/sync", payload="", qos=1)
        return subscription

    def _entry_state(self, entry_id):
        entries = self.api("GET", "/api/config/config_entries/entry")
        return next((e["state"] for e in entries if e["entry_id"] == entry_id), None)

    # --- its log ------------------------------------------------------------------------------------------------------

    def log_mark(self):
        """A place in the log, for `since`."""
        return self.log.stat().st_size if self.log.exists() else 0

    def log_records(self, since=0):
        """(level, text) of each record, its traceback included."""
        with open(self.log, errors="replace") as log:
            log.seek(since)
            text = log.read()
        heads = list(re.finditer(r"^\d{4}-\d\d-\d\d [\d:.+-]+ (DEBUG|INFO|WARNING|ERROR|CRITICAL) ", text, re.M))
        ends = [head.start() for head in heads[1:]] + [len(text)]
        return [(head[1], text[head.start():end].rstrip()) for head, end in zip(heads, ends)]

    def log_problems(self, pattern="", since=0):
        """Records at WARNING or above that match a regular expression."""
        return [text for level, text in self.log_records(since)
                if level in ("WARNING", "ERROR", "CRITICAL") and re.search(pattern, text)]


def fill(schema, known):
    """An answer to a config flow's form: known values, else defaults of what is required, sections likewise."""
    answer = {}
    for field in schema:
        name = field["name"]
        if field.get("type") == "expandable":
            answer[name] = fill(field["schema"], known)
        elif name in known:
            answer[name] = known[name]
        elif field.get("required"):
            suggested = (field.get("description") or {}).get("suggested_value")
            if "default" in field:
                answer[name] = field["default"]
            elif suggested is not None:
                answer[name] = suggested
            elif "boolean" in field.get("selector", {}):
                answer[name] = False
            else:
                raise KeyError(f"the form requires {name}: {field}")
    return answer
