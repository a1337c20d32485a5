"""Home Assistant's WebSocket API as a stand-in: as much of RFC 6455 as a client that speaks properly needs."""
import base64
import hashlib
import json
import struct
import threading


class Hangup(Exception):
    """Ends a connection without a goodbye."""


class StandInSocket:
    """`answer(request)` in a handler's GET of /api/websocket speaks until the client goes.

    `mode`: "fine"; a number (the answer's status instead of an upgrade); "silent" (an upgrade, then nothing); "refuses"
    (the token); "half" (half a frame, then the end); "mute" (logs in, answers no command); "nonsense" (text that is no
    JSON); "garbage" (bytes that are no frame); "huge" (a message larger than any client takes). `commands`: {type:
    result, or a function of the message that returns it, or an Exception whose text is the error}.
    """

    def __init__(self):
        self.mode = "fine"
        self.commands = {}
        self.seen = []  # messages after the login
        self.logins = 0
        self._open = []

    def drop(self):
        """Cuts all connections."""
        for connection in self._open:
            try:
                connection.shutdown(2)
            except OSError:
                pass

    def send_event(self, number, event):
        for connection in self._open:
            self._send(connection, {"id": number, "type": "event", "event": event})

    def answer(self, request):
        request.close_connection = True
        mode = self.mode
        if isinstance(mode, int):
            request.send_response(mode)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        key = request.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        request.send_response(101)
        request.send_header("Upgrade", "websocket")
        request.send_header("Connection", "Upgrade")
        request.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        request.end_headers()
        request.wfile.flush()
        connection = request.connection
        self._open.append(connection)
        try:
            self._speak(connection, request.rfile, mode)
        except (Hangup, OSError, struct.error):
            pass
        finally:
            self._open.remove(connection)

    def _speak(self, connection, incoming, mode):
        if mode == "half":
            connection.sendall(b"\x81\x7e\x01")
            raise Hangup
        if mode == "garbage":
            connection.sendall(b"\xff" * 100)
            incoming.read(1)
            raise Hangup
        if mode == "silent":
            incoming.read()
            raise Hangup
        if mode == "nonsense":
            self._send_text(connection, "this is no JSON")
            incoming.read(1)
            raise Hangup
        self._send(connection, {"type": "auth_required"})
        auth = self._receive(connection, incoming)
        self.logins += 1
        if mode == "refuses":
            self._send(connection, {"type": "auth_invalid", "message": "no"})
            raise Hangup
        assert auth["type"] == "auth" and auth["access_token"]
        self._send(connection, {"type": "auth_ok"})
        if mode == "huge":
            self._send_text(connection, "x" * (4 * 1024 * 1024 + 1))
        while True:
            message = self._receive(connection, incoming)
            self.seen.append(message)
            if mode != "mute":
                self._send(connection, self._result(message))

    def _result(self, message):
        if message["type"] == "ping":
            return {"id": message["id"], "type": "pong"}
        found = self.commands.get(message["type"], Exception("Unknown command."))
        found = found(message) if callable(found) else found
        if isinstance(found, Exception):
            return {"id": message["id"], "type": "result", "success": False,
                    "error": {"code": "unknown", "message": str(found)}}
        return {"id": message["id"], "type": "result", "success": True, "result": found}

    def _receive(self, connection, incoming):
        """The next text; answers pings, ends with the client."""
        while True:
            first, second = struct.unpack("!BB", incoming.read(2))
            length = second & 127
            if length == 126:
                (length,) = struct.unpack("!H", incoming.read(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", incoming.read(8))
            mask = incoming.read(4)
            data = bytes(b ^ mask[i % 4] for i, b in enumerate(incoming.read(length)))
            if first & 15 == 8:
                raise Hangup
            if first & 15 == 1:
                return json.loads(data)

    def _send(self, connection, message):
        self._send_text(connection, json.dumps(message))

    def _send_text(self, connection, text):
        data = text.encode()
        head = b"\x81" + (bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack("!H", len(data))
                          if len(data) < 65536 else b"\x7f" + struct.pack("!Q", len(data)))
        with threading.Lock():
            connection.sendall(head + data)
