"""src/ha over https: the API, the event stream and the WebSocket through TLS, in front of a real Home Assistant. The
client trusts the system's authorities; a mount of its own adds one for the test alone."""
import socket
import ssl
import subprocess
import threading
import time

import pytest

from test_ha import Driver, built, changed  # noqa: F401

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


class TlsProxy:
    """Takes TLS apart in front of a port of loopback."""

    def __init__(self, port, certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._target = port
        self._listener = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except ssl.SSLError:
                continue  # one that does not trust us
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self._target))
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self._listener.close()


@pytest.fixture
def proxy(ha, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True,
                   capture_output=True)
    proxy = TlsProxy(ha.port, certificate, key)
    proxy.certificate = certificate
    yield proxy
    proxy.close()


def test_a_certificate_that_nobody_knows(proxy, ha, built):  # noqa: F811
    driver = Driver(f"https://127.0.0.1:{proxy.port}", ha.token)
    try:
        assert "is not trusted" in driver.wait("state 0 0")
    finally:
        driver.stop()


def test_all_of_it_over_tls(proxy, ha, built, tmp_path):  # noqa: F811
    bundle = tmp_path / "bundle.crt"
    with open(BUNDLE) as known:
        bundle.write_text(known.read() + proxy.certificate.read_text())
    mount = f'mount --bind {bundle} {BUNDLE} && exec "$0"'
    if subprocess.run(["unshare", "-rm", "sh", "-c", f"mount --bind {bundle} {BUNDLE}"], capture_output=True).returncode:
        pytest.skip("no mount namespace of one's own here")
    driver = Driver(f"https://127.0.0.1:{proxy.port}", ha.token, before=["unshare", "-rm", "sh", "-c", mount])
    try:
        driver.wait("websocket 1")
        assert driver.deploy("ha_ai_tls", changed(alias="Over TLS")) == (True, "")
        driver.send("automations", "-", "-")
        driver.wait("automations 0")
        assert any('"Over TLS"' in line for line in driver.log if line.startswith("automation {"))
        driver.send("entities", "-", "input_boolean.lamp")
        driver.wait("watching 1")
        time.sleep(1)  # until Home Assistant has heard of it
        ha.call_service("automation", "trigger", entity_id="automation.over_tls")
        driver.wait("run", "ha_ai_tls")
        ha.call_service("input_boolean", "toggle", entity_id="input_boolean.lamp")
        driver.wait("change input_boolean.lamp")
        driver.send("undeploy", "ha_ai_tls", "null")
        assert driver.wait("undeployed", "ha_ai_tls").split() == ["0", "0"]
    finally:
        driver.stop()
