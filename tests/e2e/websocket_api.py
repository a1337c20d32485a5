"""Home Assistant's WebSocket API, without threads: events are read while somebody waits for one."""
import json
import time
from collections import deque

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
        self._last_id = 0
        self._results = {}
        self._events = {}
        assert json.loads(self._socket.recv())["type"] == "auth_required"
        self._socket.send(json.dumps({"type": "auth", "access_token": token}))
        answer = json.loads(self._socket.recv())
        if answer["type"] != "auth_ok":
            self.close()
            raise WebSocketError({"code": answer["type"], "message": answer.get("message")})

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
        self._last_id += 1
        number = self._last_id
        self._events[number] = deque()
        self._socket.send(json.dumps({"id": number, "type": command, **arguments}))
        deadline = time.monotonic() + self._timeout
        while number not in self._results:
            self._read(deadline)
        answer = self._results.pop(number)
        if not answer["success"]:
            raise WebSocketError(answer["error"])
        return number, answer["result"]

    def _read(self, deadline):
        """Sorts one message in, or raises TimeoutError."""
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            message = json.loads(self._socket.recv())
        except websocket.WebSocketTimeoutException:
            raise TimeoutError("Home Assistant sent nothing in time") from None
        for part in message if isinstance(message, list) else [message]:
            if part["type"] == "result":
                self._results[part["id"]] = part
            elif part["type"] == "event" and part["id"] in self._events:
                self._events[part["id"]].append(part["event"])


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
            while self._events:
                event = self._events.popleft()
                if matching(event):
                    return event
            self._ws._read(deadline)

    def close(self):
        self._ws.call("unsubscribe_events", subscription=self._number)
        self._ws._events.pop(self._number)
