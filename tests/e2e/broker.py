"""A real mosquitto on a free loopback port, with a user and a password, on its own folder."""
import os
import signal
import socket
import subprocess
from pathlib import Path

from homeassistant import die_with_parent, free_port, wait_until


class Broker:
    """`Broker(folder).start()`; `port`, `user`, `password`; with tls=True also `tls_port` and `ca`; with
    websockets=True also `ws_port`. What it persists and its log stay in the folder over restarts."""

    def __init__(self, folder, user="ha-ai", password="secret word", tls=False, websockets=False, settings=""):
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.user, self.password = user, password
        self.port = free_port()
        self.log = self.folder / "mosquitto.log"
        self.tls_port = self.ws_port = self.ca = None
        self._process = None
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous false", f"password_file {self.folder}/passwd",
                 "persistence true", f"persistence_location {self.folder}/", "log_dest stderr", "log_type all", settings]
        if tls:
            self.tls_port, self.ca = free_port(), make_certificates(self.folder)
            lines += [f"listener {self.tls_port} 127.0.0.1", f"cafile {self.ca}",
                      f"certfile {self.folder}/server.crt", f"keyfile {self.folder}/server.key"]
        if websockets:
            self.ws_port = free_port()
            lines += [f"listener {self.ws_port} 127.0.0.1", "protocol websockets"]
        if os.geteuid() == 0:
            lines.insert(0, "user root")
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self.set_password(user, password)

    def set_password(self, user, password):
        """Adds a user or changes a password; a running broker learns it by reload()."""
        passwd = self.folder / "passwd"
        passwd.touch(0o600)
        subprocess.run(["mosquitto_passwd", "-b", passwd, user, password], check=True, env=environment())

    def start(self):
        with open(self.log, "a") as log:
            self._process = subprocess.Popen(
                ["mosquitto", "-c", str(self.folder / "mosquitto.conf")], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=environment(), preexec_fn=die_with_parent)
        wait_until(self._listening, 10, f"mosquitto to listen (see {self.log})", every=0.02)
        return self

    def _listening(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"mosquitto ended with {self._process.returncode}:\n{self.log.read_text()[-2000:]}")
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        """Ends it as the system does: what is persistent is saved."""
        self._signal(signal.SIGTERM)

    def kill(self):
        """A crash: nothing is saved."""
        self._signal(signal.SIGKILL)

    def _signal(self, number):
        if self._process and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(10)

    def restart(self):
        self.stop()
        return self.start()

    def pause(self):
        """It hangs: connections stay open, nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def reload(self):
        """Reads the password file again."""
        self._process.send_signal(signal.SIGHUP)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def environment():
    return {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}


def make_certificates(folder):
    """A CA and a server's certificate for localhost and 127.0.0.1; returns the CA's file."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    (folder / "san").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test CA",
            "-keyout", "ca.key", "-out", "ca.crt")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", "server.key",
            "-out", "server.csr")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "san", "-out", "server.crt")
    return folder / "ca.crt"
