"""`ha-ai demo`: it starts, finds, obeys what is approved, and leaves nothing behind however it ends."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import pytest

from homeassistant import free_port, wait_until
from listener import Listener
from service import DEVICE


class Demo:
    """A running demo with its folders below `folder`; `port` is where it shall begin to look for one."""

    def __init__(self, binary, folder, *arguments, user=None, port=None):
        self.tmp = Path(folder) / "tmp"
        self.tmp.mkdir(parents=True)
        self.port = port or free_port()
        self.user = self.password = None  # as a broker for the Listener
        self.log = Path(folder) / "demo.log"
        environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(self.tmp), "TZ": "Europe/Berlin"}
        command = [str(binary), "demo", "--port", str(self.port), *arguments]
        if user:
            environment["HOME"] = str(self.tmp)
            command = ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", *command]
            os.chown(self.tmp, user, user)
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        self.children = set()

    def text(self):
        return self.log.read_text()

    def wait_text(self, pattern, timeout=60):
        def found():
            assert self.process.poll() is None, self.text()
            self.children |= processes_of_session(self.process.pid)
            return re.search(pattern, self.text())
        return wait_until(found, timeout, f"{pattern!r} in:\n{self.text()}", every=0.05)

    def wait_ready(self):
        self.wait_text("Ctrl-C ends everything")
        self.port = int(re.search(r"mosquitto_sub -p (\d+) ", self.text())[1])
        self.http_port = int(re.search(r"Health: http://127\.0\.0\.1:(\d+)/health", self.text())[1])
        assert len(self.children) >= 3  # itself, the broker, the service
        return self

    def health(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self.http_port}/health", timeout=5) as answer:
            return json.load(answer)

    def end(self, how, to_group=False):
        """Its exit status; nothing that it started is left, nor (unless it was killed) any file."""
        self.children |= processes_of_session(self.process.pid)
        (os.killpg if to_group else os.kill)(self.process.pid, how)
        status = self.process.wait(10)
        wait_until(lambda: not {p for p in self.children if is_alive(p)}, 8, "the children to end")
        assert "Sanitizer" not in self.text()
        if how != signal.SIGKILL:
            assert list(self.tmp.iterdir()) == []
        return status

    def clean_up(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def processes_of_session(session):
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int((entry / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                found.add(int(entry.name))
        except OSError:
            pass
    return found


@pytest.fixture
def demo(ha_ai, tmp_path):
    made = []

    def make(*arguments, **settings):
        made.append(Demo(settings.pop("binary", ha_ai), settings.pop("folder", tmp_path / f"demo-{len(made)}"),
                         *arguments, **settings))
        return made[-1]
    yield make
    for one in made:
        one.clean_up()


def test_approve_and_the_home_obeys(demo):
    """An hour of the home passes in a second."""
    one = demo("--speed", "3600", "--seed", "3").wait_ready()
    text = one.text()
    assert re.search(r"Found:\n  \* .+\n      .+", text) and "Europe/Berlin" in text
    assert not re.search(r"^ha-ai demo: ", text, re.M)
    waiting = one.health()["suggestions_waiting"]
    with Listener(one) as listener:
        listener.wait_last(f"{DEVICE}/availability", "online")
        titles = re.findall(r"^  \* (.+ at \d\d:\d\d .+)$", text, re.M)
        titles.sort(key=lambda title: ("every day" not in title, "on weekdays" not in title))
        listener.publish(f"{DEVICE}/selected_suggestion/set", {"value": titles[0]})
        listener.publish(f"{DEVICE}/approve/set", {})
        deploy = listener.wait("ha-ai/commands/automation/deploy")
        assert (deploy["via"], deploy["title"]) == ("mqtt", titles[0])
        one.wait_text("approved: the home obeys")
        executed = listener.wait("ha-ai/responses/automation/executed", timeout=150)
        assert executed["automation_id"] == deploy["automation_id"]
    at = one.wait_text(rf"\[\w+ (\d\d:\d\d):\d\d\] {deploy['automation_id']} switched")
    assert at and deploy["automation"]["triggers"][0]["at"].startswith(at[1])
    wait_until(lambda: one.health()["runs"]["confirmed"] >= 1, 5, "the run to be counted")
    health = one.health()
    assert health["status"] == "ok" and health["suggestions_waiting"] == waiting - 1
    assert one.end(signal.SIGINT, to_group=True) == 0
    assert "Stopping" in one.text()


def test_ends_on_sigterm_to_it_alone(demo):
    one = demo().wait_ready()
    assert one.end(signal.SIGTERM) == 0


def test_ends_in_the_middle_of_its_start(demo):
    one = demo("--days", "200")
    one.wait_text("A simulated home")
    assert one.end(signal.SIGINT, to_group=True) == 0


def test_leaves_no_process_when_killed(demo):
    one = demo().wait_ready()
    one.end(signal.SIGKILL)


def test_two_at_once_from_one_port(demo):
    """Both want the same port and start at the same moment."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        both = [demo("--seed", seed, port=port) for seed in ("1", "2")]
        for one in both:
            one.wait_ready()
            assert f"Port {port} is taken: the broker gets {one.port}." in one.text()
        assert len({one.port for one in both} | {port}) == 3
        assert both[0].http_port != both[1].http_port
        for one in both:
            assert one.health()["suggestions_waiting"] == one.text().count("\n  * ") > 0
            assert one.end(signal.SIGINT, to_group=True) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="every other test here runs as this user")
def test_as_a_user_without_rights(demo, ha_ai):
    folder = Path(tempfile.mkdtemp(prefix="ha-ai-test-"))
    try:
        folder.chmod(0o755)
        (folder / "build").mkdir()
        shutil.copy(ha_ai, folder / "build" / "ha-ai")
        shutil.copytree(Path(__file__).resolve().parents[2] / "discovery", folder / "discovery")
        one = demo(binary=folder / "build" / "ha-ai", folder=folder / "demo", user=65534).wait_ready()
        assert one.health()["status"] == "ok"
        assert one.end(signal.SIGINT, to_group=True) == 0
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("arguments, words", [
    (["--speed", "0"], ["--speed is '0'", "1 to 3600"]), (["--days", "x"], ["--days is 'x'", "10 to 400"]),
    (["--port"], ["--port"]), (["--what"], ["--what", "--help"])])
def test_wrong_use(ha_ai, arguments, words):
    ended = subprocess.run([ha_ai, "demo", *arguments], capture_output=True, text=True, timeout=10, check=False)
    assert ended.returncode == 2 and len(ended.stderr.splitlines()) == 1
    assert all(word in ended.stderr for word in words)


def test_without_a_folder(ha_ai, tmp_path):
    ended = subprocess.run([ha_ai, "demo"], env={"TMPDIR": "/no/such/folder", "PATH": "/usr/bin:/bin"}, text=True,
                           capture_output=True, timeout=10, check=False)
    assert ended.returncode == 1
    assert re.fullmatch("ha-ai demo: /no/such/folder/ha-ai-demo-\\w+: No such file or directory\n", ended.stderr)
