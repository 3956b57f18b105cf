"""One connection to an MQTT broker: address, login, TLS, persistent session, last will, and why it does not stand."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from dt.utils.config import Settings
from dt.utils.exceptions import ConfigError
from dt.utils.logger import get_logger

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo

ONLINE, OFFLINE = b"online", b"offline"
AT_LEAST_ONCE = 1
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_KEEPALIVE_S = 30
NOTICED_WITHIN_S = 2.0 * _KEEPALIVE_S  # that a broker is silent: a ping after one, its answer missing after another
_SAYS_GOODBYE_WITHIN_S = 1.0
_CONNECTS_WITHIN_S = 2.0  # stopping waits for it
_MOST_IN_FLIGHT = 1000

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttAddress:
    """Where an MQTT broker is, and who we are there."""

    host: str
    port: int
    username: str | None
    password: str | None
    is_encrypted: bool

    def __str__(self) -> str:
        """Return host and port alone."""
        return f"{self.host}:{self.port}"


def mqtt_address(url: str) -> MqttAddress:
    """Read `mqtt://[user:password@]host[:port]` or `mqtts://...`; raises ConfigError.

    >>> mqtt_address("mqtts://ada:p%40ss@broker.local").port
    8883
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"MQTT_URL: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ConfigError("MQTT_URL: must be of the form mqtt://[user:password@]host:port")
    return MqttAddress(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        is_encrypted=parts.scheme == "mqtts",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttLogin:
    """Everything that the settings say of the MQTT broker; the URL's user wins over MQTT_USERNAME."""

    address: MqttAddress
    username: str | None
    password: str | None
    cafile: str | None
    certfile: str | None
    keyfile: str | None

    @classmethod
    def of(cls, settings: Settings) -> MqttLogin:
        """Take the broker from the settings; raises ConfigError where they contradict each other."""
        if not settings.mqtt_url:
            raise ConfigError("MQTT_URL: is not set; give the broker as mqtt://[user:password@]host:port")
        address = mqtt_address(settings.mqtt_url)
        login = cls(
            address=address,
            username=address.username or settings.mqtt_username or None,
            password=address.password or settings.mqtt_password or None,
            cafile=settings.mqtt_cafile or None,
            certfile=settings.mqtt_certfile or None,
            keyfile=settings.mqtt_keyfile or None,
        )
        if login.keyfile and not login.certfile:
            raise ConfigError("MQTT_KEYFILE: needs MQTT_CERTFILE, the certificate that it belongs to")
        if (login.cafile or login.certfile) and not address.is_encrypted:
            raise ConfigError("MQTT_URL: must begin with mqtts:// when MQTT_CAFILE or MQTT_CERTFILE is set")
        login.tls()
        return login

    def tls(self) -> ssl.SSLContext | None:
        """Return how the broker's certificate is checked; None without TLS. Raises ConfigError for unusable files."""
        if not self.address.is_encrypted:
            return None
        try:
            context = ssl.create_default_context(cafile=self.cafile)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(f"MQTT_CAFILE: {self.cafile} holds no certificates in PEM form") from error
        if self.certfile:
            try:
                context.load_cert_chain(self.certfile, self.keyfile)
            except (ssl.SSLError, OSError) as error:
                why = "certificate and key, in PEM form, do not go together"
                raise ConfigError(f"MQTT_CERTFILE: {self.certfile}: {why}") from error
        return context


Connected = Callable[["MqttConnection", bool], None]
Heard = Callable[["MQTTMessage"], None]


class MqttConnection:
    """Connects in the background and again after a break; what the broker holds for this client id survives both.

    `connected(connection, session_present)` runs at every connection, `lost(since_s)` at every break, on paho's thread;
    `since_s` is how many seconds ago the broker may have been heard for the last time.
    """

    def __init__(
        self,
        login: MqttLogin,
        client_id: str,
        status_topic: str,
        *,
        connected: Connected = lambda _connection, _session: None,
        lost: Callable[[float], None] = lambda _since_s: None,
        heard: Heard = lambda _message: None,
    ) -> None:
        self.address = login.address
        self.status_topic = status_topic
        self._connected = connected
        self._lost = lost
        self._why = f"no MQTT broker at {login.address}"
        self._client = self._make(login, client_id, heard)

    @property
    def is_connected(self) -> bool:
        """Return whether the broker has let us in."""
        return self._client.is_connected()

    @property
    def why_not(self) -> str:
        """Return why there is no connection, in words for a person; empty while there is one."""
        return "" if self.is_connected else self._why

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._client.connect_async(self.address.host, self.address.port, keepalive=_KEEPALIVE_S)
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> MQTTMessageInfo:
        """Send a message at least once; what is returned tells when the broker has it."""
        return self._client.publish(topic, payload, qos=AT_LEAST_ONCE, retain=retain)

    def follow(self, topics: list[str]) -> None:
        """Ask for topics at least once; the session remembers."""
        if topics:
            self._client.subscribe([(topic, AT_LEAST_ONCE) for topic in topics])

    def forget(self, topic: str) -> None:
        """Let the session forget a topic."""
        self._client.unsubscribe(topic)

    def stop(self) -> None:
        """Say goodbye and end."""
        if self.is_connected:
            self.publish(self.status_topic, OFFLINE, retain=True).wait_for_publish(_SAYS_GOODBYE_WITHIN_S)
        self._client.disconnect()
        self._client.loop_stop()
        self._client._reset_sockets()  # there is no public way; paho leaves them to the garbage collector

    def _make(self, login: MqttLogin, client_id: str, heard: Heard) -> Client:
        from paho.mqtt.client import Client, MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTv311, clean_session=False)
        client.will_set(self.status_topic, OFFLINE, qos=AT_LEAST_ONCE, retain=True)
        if login.username is not None:
            client.username_pw_set(login.username, login.password)
        context = login.tls()
        if context is not None:
            client.tls_set_context(context)
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        client.connect_timeout = _CONNECTS_WITHIN_S
        client.max_inflight_messages_set(_MOST_IN_FLIGHT)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = lambda _client, _data, message: heard(message)
        return client

    def _on_connect(self, client: Client, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._note(f"the MQTT broker at {self.address} refuses: {reason}")
            return
        self._why = f"the MQTT broker at {self.address} went away"
        log.info("connected to MQTT at %s", self.address)
        client.publish(self.status_topic, ONLINE, qos=AT_LEAST_ONCE, retain=True)
        self._connected(self, bool(flags.session_present))

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        error = sys.exception()  # paho calls from its except clause
        if isinstance(error, ssl.SSLCertVerificationError):
            self._note(f"the certificate of the MQTT broker at {self.address} is not trusted: {error.verify_message}")
        else:
            self._note(f"no MQTT broker at {self.address}" + (f": {error}" if error else ""))

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        log.debug("MQTT at %s: %s", self.address, reason)
        self._lost(NOTICED_WITHIN_S if "keep alive" in str(reason).lower() else 0.0)

    def _note(self, why: str) -> None:
        if why != self._why:
            log.warning("%s", why)
        self._why = why
