"""`ha-ai run` as a child of the test."""
import json
import signal
import sqlite3
import subprocess
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

from homeassistant import die_with_parent, free_port, wait_until


class Daemon:
    """`Daemon(binary, folder, broker, HA_URL=…).start().wait_healthy()`; settings are environment variables, None
    unsets one. The database and the log (kept over restarts) are in the folder."""

    def __init__(self, binary, folder, broker=None, **settings):
        self.binary = str(binary)
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "ha-ai.log"
        self.port = free_port()
        self._process = None
        own = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "HTTP_PORT": str(self.port),
               "DATABASE_PATH": str(self.folder / "ha-ai.db")}
        if broker:
            own.update(MQTT_BROKER="127.0.0.1", MQTT_PORT=str(broker.port), MQTT_USERNAME=broker.user,
                       MQTT_PASSWORD=broker.password)
        own.update(settings)
        self.environment = {name: str(value) for name, value in own.items() if value is not None}

    def start(self, *arguments):
        with open(self.log, "a") as log:
            self._process = subprocess.Popen([self.binary, "run", *arguments], stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=log, env=self.environment, cwd=self.folder,
                                             preexec_fn=die_with_parent)
        return self

    @property
    def pid(self):
        return self._process.pid

    def alive(self):
        return self._process is not None and self._process.poll() is None

    def health(self, timeout=5):
        """(status, JSON) of /health; (None, reason) when nobody answers."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self.port}/health", timeout=timeout) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError as error:
            return None, str(error)

    def wait_healthy(self, timeout=20, status=200):
        """Waits until /health answers with `status`; fails at once when the daemon ends."""
        def answered():
            if not self.alive():
                raise RuntimeError(f"ha-ai ended with {self._process.returncode}:\n{self.log_text()[-3000:]}")
            return self.health()[0] == status
        wait_until(answered, timeout, f"/health to say {status} (it says {self.health()}; log {self.log})")
        return self

    def wait_log(self, word, timeout=20):
        """Waits until the log contains `word`."""
        wait_until(lambda: word in self.log_text(), timeout, f"{word!r} in {self.log}")

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def sql(self, text, *values):
        """Rows of its database, or a change of it: in one transaction, beside the running service or while it is off."""
        with closing(sqlite3.connect(self.environment["DATABASE_PATH"], timeout=10)) as database, database:
            return database.execute(text, values).fetchall()

    def stop(self, timeout=20):
        """SIGTERM; returns the exit status, and fails if it takes longer than `timeout`."""
        if self._process is None:
            return None
        if self.alive():
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise TimeoutError(f"ha-ai did not end within {timeout} s of SIGTERM") from None
        return self._process.returncode

    def kill(self):
        if self.alive():
            self._process.kill()
        if self._process:
            self._process.wait()

    def restart(self, *arguments):
        self.stop()
        return self.start(*arguments)
