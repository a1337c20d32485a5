"""A stranger at the broker: hears everything on ha-ai/#, and publishes."""
import json
import time
import uuid

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from homeassistant import wait_until


class Listener:
    """`with Listener(broker) as listener: listener.publish(…); listener.wait("ha-ai/test/reply")`."""

    def __init__(self, broker, topics=("ha-ai/#",), user=None, password=None):
        self.messages = []  # (monotonic time, message)
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, f"stranger-{uuid.uuid4()}",
                                   protocol=mqtt.MQTTv5)
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 600  # what is sent while the broker comes back is heard afterwards
        if broker.user:
            self._client.username_pw_set(user or broker.user, password or broker.password)
        self._client.on_message = lambda _client, _data, message: self.messages.append((time.monotonic(), message))
        self._client.on_connect = lambda client, *_: [client.subscribe(topic, 1) for topic in topics]
        self._subscribed = 0
        self._client.on_subscribe = self._on_subscribe
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", broker.port, clean_start=False, properties=session)
        self._client.loop_start()
        wait_until(lambda: self._subscribed >= len(topics), 10, "the subscriptions", every=0.02)

    def _on_subscribe(self, *_):
        self._subscribed += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic, payload="", retain=False):
        if isinstance(payload, (dict, list)):
            payload = json.dumps(payload)
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    def publish_soon(self, topic, payload):
        """Does not wait until it is acknowledged."""
        self._client.publish(topic, payload, qos=1)

    def of(self, topic):
        """The bodies that were heard on a topic, oldest first."""
        return [json.loads(m.payload) for _, m in list(self.messages) if m.topic == topic and m.payload]

    def last(self, topic):
        """The last payload on a topic as text; None when nothing came."""
        return next((m.payload.decode() for _, m in reversed(list(self.messages)) if m.topic == topic), None)

    def wait(self, topic, matching=lambda body: True, timeout=30, count=1):
        """The body of the count-th message on the topic that matches."""
        def found():
            bodies = [body for body in self.of(topic) if matching(body)]
            return bodies[count - 1] if len(bodies) >= count else None
        return wait_until(found, timeout, f"message {count} on {topic} (heard: {self.of(topic)[-3:]})", every=0.02)

    def wait_last(self, topic, value, timeout=20):
        wait_until(lambda: self.last(topic) == value, timeout,
                   f"{value!r} on {topic} (it says {self.last(topic)!r})", every=0.02)
