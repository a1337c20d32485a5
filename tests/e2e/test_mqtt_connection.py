"""The connection to the broker (src/mqtt, src/store) on its own, through every way a broker can fail, and what is
lost when either side is killed: nothing. drivers/mqtt.c tells what the driver takes and says."""
import calendar
import json
import os
import queue
import random
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker import Broker, make_certificates
from conftest import ROOT
from homeassistant import die_with_parent, free_port, wait_until

AVAILABILITY = "ha-ai/device/driver/availability"
BACK_S = 15  # connected again at the latest so long after the cause ended
CONNECTED = r"up \d \d"


@pytest.fixture(scope="session")
def program():
    """The driver with sanitizers; MQTT_DRIVER names another build (MODE=tsan)."""
    if "MQTT_DRIVER" in os.environ:
        return os.environ["MQTT_DRIVER"]
    subprocess.run(["make", "-s", "MODE=asan", "build/asan/drivers/mqtt"], cwd=ROOT, check=True)
    return str(ROOT / "build/asan/drivers/mqtt")


class Driver:
    """A process of drivers/mqtt.c; its lines in `lines`, with the moment at which they came."""

    def __init__(self, program, folder, port, topics=(), host="127.0.0.1", user="ha-ai", password="secret word",
                 **environment):
        self.lines, self.position = [], 0
        command = [program, host, str(port), str(folder / "ha-ai.db"), *topics]
        env = {**os.environ, "MQTT_USER": user, "MQTT_PASS": password, **environment}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=env, preexec_fn=die_with_parent)
        self.log = []
        self.readers = [threading.Thread(target=self._read, daemon=True),
                        threading.Thread(target=self._read_log, daemon=True)]
        for reader in self.readers:
            reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line.rstrip("\n")))

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def expect(self, pattern, timeout=BACK_S):
        """The next line (after the last expected one) that matches."""
        deadline = time.monotonic() + timeout
        while True:
            while self.position < len(self.lines):
                line = self.lines[self.position][1]
                self.position += 1
                if match := re.fullmatch(pattern, line):
                    return match
            if time.monotonic() > deadline:
                raise TimeoutError(f"no line '{pattern}' within {timeout} s\n" + "\n".join(
                    line for _, line in self.lines[-30:]) + "\n" + "\n".join(self.log[-30:]))
            time.sleep(0.01)

    def all(self, pattern):
        return [match for _, line in list(self.lines) if (match := re.fullmatch(pattern, line))]

    def counts(self):
        self.say("counts")
        return tuple(int(x) for x in self.expect(r"counts (\d+) (\d+) (\d+) (\d+)").groups())

    def kill(self):
        self.process.kill()
        self._ended()

    def _ended(self):
        self.process.wait(20)
        for reader in self.readers:
            reader.join(5)

    def stop(self):
        """As on SIGTERM; returns how long mqtt_stop took, in ms."""
        self.say("stop")
        took = int(self.expect(r"stopped (\d+)").group(1))
        self.process.stdin.close()
        self._ended()
        assert self.process.returncode == 0, "\n".join(self.log)
        return took


@pytest.fixture
def start(program, tmp_path):
    """Starts drivers on one database; none outlives the test."""
    made = []

    def make(port, *topics, **settings):
        made.append(Driver(program, tmp_path, port, topics, **settings))
        return made[-1]

    yield make
    for driver in made:
        if driver.process.poll() is None:
            driver.kill()
        assert not any("Sanitizer" in line for line in driver.log), "\n".join(driver.log)


@pytest.fixture
def server(tmp_path):
    with Broker(tmp_path / "broker") as broker:
        yield broker


class Listener:
    """Another client: what came in, as paho messages."""

    def __init__(self, broker, *topics, client_id=""):
        self.messages = queue.Queue()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5)
        self.client.username_pw_set(broker.user, broker.password)
        self.client.on_message = lambda client, data, message: self.messages.put(message)
        ready = threading.Event()
        self.client.on_subscribe = lambda *_: ready.set()
        self.client.on_connect = lambda *_: self.client.subscribe([(topic, paho.SubscribeOptions(
            qos=1, retainAsPublished=True)) for topic in topics]) if topics else ready.set()
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()
        assert ready.wait(10)

    def next(self, timeout=5):
        return self.messages.get(timeout=timeout)

    def publish(self, topic, payload, qos=1, retain=False):
        self.client.publish(topic, payload, qos=qos, retain=retain).wait_for_publish(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()


def retained(broker, topic):
    """What the broker keeps on a topic, or None."""
    with Listener(broker, topic) as listener:
        try:
            return listener.next(timeout=0.5).payload.decode()
        except queue.Empty:
            return None


def until_retained(broker, topic, value):
    wait_until(lambda: retained(broker, topic) == value, 10, f"{topic} = {value}")


# ---- the normal course ----

def test_states_events_and_availability(start, server):
    with Listener(server, "ha-ai/#") as listener:
        driver = start(server.port)
        driver.say("state ha-ai/device/driver/a/state one")
        driver.say("state ha-ai/device/driver/b/state two")
        driver.expect("up 0 5")
        driver.say("append 60 hello")
        identity = driver.expect("queued (.*)").group(1)
        got = [listener.next() for _ in range(4)]
        # Order of the states, then "online", then what happened.
        assert [(m.topic, m.retain) for m in got] == [
            ("ha-ai/device/driver/a/state", True), ("ha-ai/device/driver/b/state", True), (AVAILABILITY, True),
            ("ha-ai/events/x", False)]
        event = got[3]
        body = json.loads(event.payload)
        assert (body["id"], body["text"], body["ttl"], body["schema"]) == (identity, "hello", 60, 1)
        assert event.qos == 1 and not event.retain
        assert event.properties.ContentType == "application/json"
        assert 57 <= event.properties.MessageExpiryInterval <= 60
        wait_until(lambda: driver.counts()[0] == 0, 5, "the outbox to be empty")
        driver.say("state ha-ai/device/driver/a/state one")  # the same: not sent again
        driver.say("state ha-ai/device/driver/b/state")      # deleted
        assert listener.next().topic == "ha-ai/device/driver/b/state"
        assert retained(server, "ha-ai/device/driver/b/state") is None
        assert driver.stop() < 1500
        last = listener.next()
        assert (last.topic, last.payload, last.retain) == (AVAILABILITY, b"offline", True)
        assert listener.messages.empty()
    assert int(driver.all(r"gap (\d+)")[0].group(1)) < 1000


def test_last_value_wins(start, server):
    driver = start(server.port)
    for i in range(300):
        driver.say(f"state ha-ai/device/driver/a/state {i}")
    driver.expect(CONNECTED)
    for i in range(300, 600):
        driver.say(f"state ha-ai/device/driver/a/state {i}")
    until_retained(server, "ha-ai/device/driver/a/state", "599")
    driver.stop()


def test_more_states_than_may_be_in_flight(start, server):
    driver = start(server.port)
    for i in range(256):
        driver.say(f"state t/{i} {i}")
    driver.say("state t/256 x")  # one too many: said, and not sent
    driver.expect(CONNECTED)
    with Listener(server, "t/#") as listener:
        assert {listener.next().topic for _ in range(256)} == {f"t/{i}" for i in range(256)}
    assert any("more than 256 states: t/256" in line for line in driver.log)
    driver.stop()


def test_will_waits_a_little(start, server):
    driver = start(server.port)
    driver.expect(CONNECTED)
    until_retained(server, AVAILABILITY, "online")
    driver.kill()
    died = time.monotonic()
    time.sleep(3)
    assert retained(server, AVAILABILITY) == "online"  # a restart does not flicker
    wait_until(lambda: retained(server, AVAILABILITY) == "offline", 15, "the will")
    assert time.monotonic() - died > 5


# ---- a broker that fails ----

def test_wrong_password_then_right(start, server):
    driver = start(server.port, password="not it at all")
    problem = driver.expect("problem (.*)", 5).group(1)
    problem = problem if "refused" in problem else driver.expect("problem (.*)", 5).group(1)
    assert problem.startswith("the broker refused user 'ha-ai': bad user name or password")
    time.sleep(3)  # a few attempts more
    server.set_password("ha-ai", "not it at all")
    server.reload()
    driver.expect(CONNECTED)
    driver.stop()
    text = "\n".join(driver.log)
    assert "not it at all" not in text and text.count("bad user name or password") == 1
    assert text.count("connected to 127.0.0.1") == 1


def test_no_user_name(start, server):
    driver = start(server.port, user="", password="")
    driver.expect("problem the broker refused .*", 5)
    assert driver.stop() < 1500


def test_absent_at_start_then_there(start, tmp_path):
    broker = Broker(tmp_path / "broker")
    driver = start(broker.port)
    driver.expect(f"problem cannot connect to 127.0.0.1 port {broker.port}: Connection refused", 5)
    driver.say("state ha-ai/device/driver/a/state kept")
    time.sleep(8)
    with broker:
        driver.expect(CONNECTED)
        until_retained(broker, "ha-ai/device/driver/a/state", "kept")
        driver.stop()


@pytest.mark.parametrize("way", ["restart", "crash", "hang"])
def test_broker_goes_and_comes(start, server, way):
    driver = start(server.port)
    driver.say("state ha-ai/device/driver/a/state x")
    driver.expect("up 0 5")
    until_retained(server, AVAILABILITY, "online")
    if way == "hang":
        os.kill(server._process.pid, signal.SIGSTOP)
        driver.expect("down", 30)
        driver.expect("problem .*", 5)
        time.sleep(8)
        os.kill(server._process.pid, signal.SIGCONT)
    else:
        server.stop() if way == "restart" else server.kill()
        driver.expect("down", 5)
        driver.say("state ha-ai/device/driver/a/state y")
        time.sleep(5)
        server.start()
    session = driver.expect(r"up (\d) 5").group(1)
    assert session == ("0" if way == "crash" else "1")
    if way != "hang":
        until_retained(server, "ha-ai/device/driver/a/state", "y")
    until_retained(server, AVAILABILITY, "online")
    driver.stop()
    assert int(driver.all(r"gap (\d+)")[0].group(1)) < 1000


class Mute:
    """A port that accepts and says nothing; with full=True not even accepts: SYNs are dropped."""

    def __init__(self, full=False):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(0 if full else 50)
        self.port = self.socket.getsockname()[1]
        self.fill = []
        for _ in range(4 if full else 0):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", self.port))
            self.fill.append(s)

    def close(self):
        for s in [*self.fill, self.socket]:
            s.close()


@pytest.mark.parametrize("full", [False, True], ids=["accepts", "drops"])
def test_port_that_says_nothing(start, tmp_path, full):
    mute = Mute(full)
    driver = start(mute.port)
    driver.expect(f"problem 127.0.0.1 port {mute.port} "
                  + ("does not answer" if full else "accepts the connection but does not answer"), 8)
    time.sleep(6)
    mute.close()
    broker = Broker(tmp_path / "broker")
    config = tmp_path / "broker" / "mosquitto.conf"
    config.write_text(config.read_text().replace(f"listener {broker.port}", f"listener {mute.port}"))
    broker.port = mute.port
    with broker:
        driver.expect(CONNECTED)
        driver.stop()
    assert int(driver.all(r"gap (\d+)")[0].group(1)) < 1000


@pytest.mark.parametrize("full", [False, True], ids=["accepts", "drops"])
def test_stop_while_nothing_answers(start, full):
    mute = Mute(full)
    driver = start(mute.port)
    time.sleep(1)
    assert driver.stop() < 1500
    mute.close()


def test_stop_while_the_broker_hangs(start, server):
    driver = start(server.port)
    driver.expect(CONNECTED)
    until_retained(server, AVAILABILITY, "online")
    os.kill(server._process.pid, signal.SIGSTOP)
    try:
        assert driver.stop() < 3500  # 2 s of it wait for the PUBACK of "offline"
    finally:
        os.kill(server._process.pid, signal.SIGCONT)


def test_name_that_does_not_resolve(start):
    driver = start(1883, host="nowhere.invalid")
    driver.expect("problem the broker's name 'nowhere.invalid' cannot be resolved", 30)
    assert driver.stop() < 1500


def test_not_a_broker(start):
    """Something else on the port: it answers at once, in another language."""
    other = socket.create_server(("127.0.0.1", 0))

    def answer():
        try:
            while True:
                s, _ = other.accept()
                s.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                s.close()
        except OSError:
            pass
    threading.Thread(target=answer, daemon=True).start()
    driver = start(other.getsockname()[1])
    driver.expect("problem .*closed the connection before it answered.*", 5)
    assert driver.stop() < 1500
    other.close()


def test_two_with_one_id(start, server, tmp_path, program):
    first = start(server.port)
    first.expect(CONNECTED)
    (tmp_path / "other").mkdir()
    second = Driver(program, tmp_path / "other", server.port)
    first.expect("problem .*another client.* 'driver'.* different INSTANCE", 30)
    second.stop()
    while not re.fullmatch(CONNECTED, first.lines[-1][1]):
        first.expect(CONNECTED)
    first.stop()


# ---- TLS ----

def test_tls(start, tmp_path):
    with Broker(tmp_path / "broker", tls=True) as broker:
        driver = start(broker.tls_port, CA_FILE=str(broker.ca), TLS="1", host="localhost")
        driver.expect("up 0 5")
        driver.say("append 60 hello")
        wait_until(lambda: driver.counts()[0] == 0, 5, "the outbox to be empty")
        broker.restart()
        driver.expect("down")
        driver.expect("up 1 5")
        driver.stop()


def test_tls_that_is_not_trusted(start, tmp_path):
    (tmp_path / "other").mkdir()
    other = make_certificates(tmp_path / "other")
    with Broker(tmp_path / "broker", tls=True) as broker:
        for settings in ({"CA_FILE": str(other)}, {}):
            driver = start(broker.tls_port, TLS="1", host="localhost", **settings)
            driver.expect(f"problem TLS with localhost port {broker.tls_port} failed: .*certificate verify failed.*", 8)
            assert driver.stop() < 1500
        driver = start(broker.tls_port, TLS="1", CA_FILE=str(tmp_path / "absent.crt"))
        driver.expect("problem the CA file .*absent.crt cannot be read: No such file or directory", 5)
        driver.stop()
        driver = start(broker.port, TLS="1", CA_FILE=str(broker.ca))  # TLS with a port without
        driver.expect("problem .*", 8)
        assert driver.stop() < 1500


# ---- MQTT 3.1.1 ----

class Proxy:
    """Between driver and broker: counts what the driver publishes, cuts connections, refuses MQTT 5."""

    def __init__(self, port, only_311=False):
        self.target, self.only_311 = port, only_311
        self.published, self.pairs, self.lock = [], set(), threading.Lock()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._client, args=(near,), daemon=True).start()

    def _client(self, near):
        try:
            far = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            near.close()
            return
        with self.lock:
            self.pairs.add((near, far))
        threading.Thread(target=self._copy, args=(far, near), daemon=True).start()
        try:
            for kind, body in packets(near):
                if kind >> 4 == 1 and self.only_311 and body[6] == 5:
                    near.sendall(b"\x20\x02\x00\x01")  # a 3.1.1 CONNACK: unacceptable protocol version
                    break
                if kind >> 4 == 3:
                    size = int.from_bytes(body[:2], "big")
                    with self.lock:
                        self.published.append((time.time(), body[2:2 + size].decode(), body[4 + size:]))
                far.sendall(frame(kind, body))
        except OSError:
            pass
        self._close(near, far)

    def _copy(self, far, near):
        try:
            while data := far.recv(65536):
                near.sendall(data)
        except OSError:
            pass
        self._close(near, far)

    def _close(self, near, far):
        for s in (near, far):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        with self.lock:
            pairs, self.pairs = self.pairs, set()
        for near, far in pairs:
            self._close(near, far)

    def events(self):
        """(time, message) of every event that was published, again too."""
        with self.lock:
            return [(at, json.loads(rest[rest.index(b"{"):])) for at, topic, rest in self.published
                    if topic == "ha-ai/events/x"]

    def close(self):
        self.server.close()
        self.cut()


def packets(connection):
    """(first byte, body) of every MQTT packet."""
    stream = connection.makefile("rb")
    while head := stream.read(1):
        length = shift = 0
        while True:
            byte = stream.read(1)
            if not byte:
                return
            length |= (byte[0] & 127) << shift
            shift += 7
            if byte[0] < 128:
                break
        body = stream.read(length)
        if len(body) < length:
            return
        yield head[0], body


def frame(kind, body):
    length, head = len(body), bytearray([kind])
    while True:
        head.append(length % 128 | (128 if length > 127 else 0))
        length //= 128
        if not length:
            return bytes(head) + body


def test_falls_back_to_311(start, server):
    proxy = Proxy(server.port, only_311=True)
    driver = start(proxy.port, "=own/config", "ha-ai/commands/analysis/run")
    driver.expect("up 0 4")
    driver.say("state own/config mine")
    until_retained(server, "own/config", "mine")
    driver.say("append 60 hello")
    wait_until(lambda: driver.counts()[0] == 0, 5, "the outbox to be empty")
    with Listener(server) as other:
        other.publish("ha-ai/commands/analysis/run", "{}")
        driver.expect("inbox 0 ha-ai/commands/analysis/run {}")
        other.publish("own/config", "", retain=True)
        driver.expect("inbox 0 own/config ")  # a foreign message: ours came back as an echo and was not taken
    proxy.cut()
    driver.expect("down")
    driver.expect("up 1 4")
    assert len(driver.all("inbox .*")) == 2
    driver.stop()
    assert "\n".join(driver.log).count("knows no MQTT 5") == 1
    proxy.close()


# ---- what comes in ----

def test_own_messages_do_not_come_back(start, server):
    with Listener(server) as other:
        other.publish("own/config", "old", retain=True)
        driver = start(server.port, "=own/config")
        driver.expect(CONNECTED)
        driver.say("state own/config mine")
        until_retained(server, "own/config", "mine")
        other.publish("own/config", "", retain=True)
        driver.expect("inbox 0 own/config ")
        assert len(driver.all("inbox .*")) == 1
        driver.stop()


def test_flags_of_commands(start, server):
    topic = "ha-ai/device/driver/x/set"
    with Listener(server) as other:
        other.publish(topic, "kept", retain=True)
        driver = start(server.port, topic)
        driver.expect(f"inbox 1 {topic} kept")
        other.publish(topic, "live", retain=True)
        driver.expect(f"inbox 1 {topic} live")
        other.publish(topic, '{"id":"a"}')
        driver.expect(f'inbox 0 {topic} {{"id":"a"}}')
        other.publish(topic, '{"id":"a"}')
        driver.expect(f'inbox 2 {topic} {{"id":"a"}}')
        other.publish(topic, "x" * 65537)
        driver.expect(f"inbox 4 {topic} ")
        other.publish(topic, b"\xff\xfe")
        driver.expect(f"inbox 8 {topic} ")
        other.publish(topic, "x" * 2_000_000)  # the broker keeps it off us
        other.publish(topic, "after it", qos=0)
        driver.expect(f"inbox 0 {topic} after it")
        server.restart()
        driver.expect("up 1 5")
        time.sleep(1)
        assert len(driver.all("inbox .*")) == 7  # what is retained does not come with every connect
        driver.stop()


def test_what_came_while_we_were_off(start, server):
    topic = "ha-ai/device/driver/x/set"
    driver = start(server.port, topic)
    driver.expect("up 0 5")
    driver.stop()
    with Listener(server) as other:
        for i in range(50):
            other.publish(topic, f'{{"id":"{i}"}}')
    driver = start(server.port, topic)
    driver.expect("up 1 5")
    for i in range(50):
        driver.expect(f'inbox 0 {topic} {{"id":"{i}"}}')
    driver.stop()


@pytest.mark.parametrize("payload", ['{"id":"a"}', "{}"], ids=["id", "no id"])
def test_killed_between_commit_and_puback(start, server, payload):
    topic = "ha-ai/device/driver/x/set"
    driver = start(server.port, topic, CRASH_AFTER_INBOX="1")
    driver.expect(CONNECTED)
    driver.say("hold")
    time.sleep(0.2)
    with Listener(server) as other:
        other.publish(topic, payload)
        driver.process.wait(10)
        assert driver.process.returncode == -signal.SIGKILL
        driver = start(server.port, topic)
        driver.expect(f"inbox 0 {topic} {re.escape(payload)}")
        driver.expect("up 1 5")
        other.publish(topic, '{"id":"next"}')
        driver.expect(f'inbox 0 {topic} {{"id":"next"}}')
        assert len(driver.all("inbox .*")) == 2  # redelivered, and known
        driver.stop()


def test_what_cannot_be_stored_stays_with_the_broker(start, server, tmp_path):
    topic, switch = "ha-ai/device/driver/x/set", tmp_path / "fail"
    driver = start(server.port, topic, FAIL_COMMITS=str(switch))
    driver.expect("up 0 5")
    switch.touch()
    with Listener(server) as other:
        for i in range(5):
            other.publish(topic, f'{{"id":"{i}"}}')
    driver.expect("problem a message could not be stored and stays with the broker: .*")
    time.sleep(3)
    assert not driver.all("inbox .*")
    switch.unlink()
    for i in range(5):
        driver.expect(f'inbox 0 {topic} {{"id":"{i}"}}')
    time.sleep(1)
    assert len(driver.all("inbox .*")) == 5
    driver.stop()


# ---- what goes out ----

def test_waits_for_the_broker_and_expires(start, server):
    proxy = Proxy(free_port())  # until somebody listens at the broker: nothing
    driver = start(proxy.port)
    driver.say("append 3 short")
    driver.say("append 60 long")
    for _ in range(2):
        driver.expect("queued .*")
    time.sleep(4)
    assert driver.counts() == (1, 1, 0, 0)
    with Listener(server, "ha-ai/events/#") as listener:
        proxy.target = server.port
        message = listener.next(BACK_S)
        assert json.loads(message.payload)["text"] == "long"
        assert message.properties.MessageExpiryInterval <= 57
        time.sleep(1)
        assert listener.messages.empty()
    assert driver.counts() == (0, 1, 0, 0)
    driver.stop()


def test_refused_by_the_access_list(start, tmp_path):
    acl = tmp_path / "acl"
    acl.write_text("user ha-ai\ntopic readwrite ha-ai/device/#\n")
    with Broker(tmp_path / "broker", settings=f"acl_file {acl}") as broker:
        driver = start(broker.port)
        driver.say("append 60 hello")
        driver.expect(CONNECTED)
        wait_until(lambda: driver.counts() == (0, 0, 0, 1), 5, "the message to be given up")
        assert any("refused a message: Not authorized" in line for line in driver.log)
        driver.stop()


@pytest.mark.parametrize("victim", ["broker", "process", "connection"])
def test_nothing_is_lost(start, server, tmp_path, victim):
    """Kills at random moments while messages are queued. Every message that was committed reached the broker or
    expired, all copies of one are the same, and none came later than its TTL."""
    seed = int(os.environ.get("SEED") or random.randrange(10**9))
    print(f"SEED={seed}")
    rng = random.Random(seed)
    proxy = Proxy(server.port)
    drivers = [start(proxy.port)]
    drivers[0].expect(CONNECTED)
    for _ in range(8):
        for _ in range(rng.randint(5, 60)):
            drivers[-1].say(f"append {rng.choice((2, 60, 60, 60))} {rng.random()}")
        time.sleep(rng.random() * 0.3)
        if victim == "broker":
            server.kill()
            time.sleep(rng.random())
            server.start()
        elif victim == "connection":
            proxy.cut()
        else:
            drivers[-1].kill()
            drivers.append(start(proxy.port))
    wait_until(lambda: drivers[-1].counts()[0] == 0, 30, "the outbox to be empty")
    drivers[-1].stop()
    with sqlite3.connect(tmp_path / "ha-ai.db") as db:
        expired = {row[0] for row in db.execute("SELECT id FROM outbox WHERE ended = 'expired'")}
    queued = {m.group(1) for driver in drivers for m in driver.all("queued (.*)")}
    copies = {}
    for at, message in proxy.events():
        copies.setdefault(message["id"], []).append(message)
        sent = time.strptime(message["timestamp"][:19], "%Y-%m-%dT%H:%M:%S")
        assert at - calendar.timegm(sent) <= message["ttl"] + 1
    assert all(message == same[0] for same in copies.values() for message in same)
    print(f"{len(queued)} queued, {len(copies)} sent, {sum(map(len, copies.values()))} copies, {len(expired)} expired")
    assert queued - set(copies) <= expired and len(queued) > 100
    proxy.close()
