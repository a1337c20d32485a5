"""Home Assistant's WebSocket API. A thread reads, so that pings are answered while nobody waits."""
import json
import queue
import threading
import time

import websocket


class WebSocketError(Exception):
    """Home Assistant refused a command; `code` is its word for why."""

    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code = error.get("code")


class WebSocket:
    """A logged-in connection: `call(command, **arguments)` and `subscribe(command, **arguments)`."""

    def __init__(self, port, token, timeout=30):
        self._timeout = timeout
        self._socket = websocket.create_connection(
            f"ws://127.0.0.1:{port}/api/websocket", timeout=timeout, http_no_proxy=["127.0.0.1"])
        self._lock = threading.Lock()
        self._last_id = 0
        self._results = {}  # id -> queue of one answer
        self._events = {}  # id -> queue of events
        assert json.loads(self._socket.recv())["type"] == "auth_required"
        self._socket.send(json.dumps({"type": "auth", "access_token": token}))
        answer = json.loads(self._socket.recv())
        if answer["type"] != "auth_ok":
            self.close()
            raise WebSocketError({"code": answer["type"], "message": answer.get("message")})
        self._socket.settimeout(None)
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def connected(self):
        return self._socket.connected

    def close(self):
        self._socket.close()

    def call(self, command, **arguments):
        """The command's result; WebSocketError if it is refused, TimeoutError without an answer."""
        return self._send(command, arguments)[1]

    def subscribe(self, command, **arguments):
        return Subscription(self, *self._send(command, arguments))

    def _send(self, command, arguments):
        with self._lock:
            self._last_id += 1
            number = self._last_id
            answers = self._results[number] = queue.Queue()
            self._events[number] = queue.Queue()
            self._socket.send(json.dumps({"id": number, "type": command, **arguments}))
        answer = wait_for(answers, self._timeout, f"an answer to {command}")
        del self._results[number]
        if not answer["success"]:
            raise WebSocketError(answer["error"])
        return number, answer["result"]

    def _read(self):
        try:
            while text := self._socket.recv():
                message = json.loads(text)
                for part in message if isinstance(message, list) else [message]:
                    if part["type"] == "result":
                        self._results[part["id"]].put(part)
                    elif part["type"] == "event" and part["id"] in self._events:
                        self._events[part["id"]].put(part["event"])
        except (OSError, websocket.WebSocketException):
            pass
        self._socket.shutdown()


class Subscription:
    """Events of one subscription, in order."""

    def __init__(self, ws, number, result):
        self.result = result
        self._ws, self._number = ws, number
        self._events = ws._events[number]

    def get(self, timeout=30, matching=lambda event: True):
        """The next event that matches (those before it are dropped); TimeoutError if none comes."""
        deadline = time.monotonic() + timeout
        while True:
            event = wait_for(self._events, deadline - time.monotonic(), "an event")
            if matching(event):
                return event

    def close(self):
        self._ws.call("unsubscribe_events", subscription=self._number)
        del self._ws._events[self._number]


def wait_for(items, timeout, what):
    try:
        return items.get(timeout=max(0, timeout))
    except queue.Empty:
        raise TimeoutError(f"Home Assistant did not send {what} in time") from None
