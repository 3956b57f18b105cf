"""Topics on a Kafka broker: made, compared and altered to match the one table; every call may be repeated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from types import TracebackType

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError, UnknownTopicOrPartitionError

from dt.communication.kafka_options import KafkaOptions
from dt.communication.topics import TOPIC_TABLE, TopicSpec
from dt.utils.config import Settings
from dt.utils.exceptions import DTError, MessagingError

_UNKNOWN_TOPIC = 3  # error code of a topic in the broker's metadata answer


class TopicError(DTError):
    """A topic cannot be treated as asked; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicChange:
    """One step towards the table; `action` is create, delete, partitions or alter."""

    action: str
    topic: str
    partitions: int | None = None
    config: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Return the fields that say something."""
        return {name: value for name, value in asdict(self).items() if value not in (None, {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicState:
    """A topic as the broker has it; names are without the prefix."""

    topic: str
    partitions: int
    replication: int
    in_table: bool
    config: dict[str, str]

    def to_dict(self) -> dict[str, object]:
        """Return all fields."""
        return asdict(self)


class KafkaManager:
    """Topics of one broker under one prefix; with `is_dry_run` it says what it would do and changes nothing."""

    def __init__(
        self, settings: Settings, *, table: Mapping[str, TopicSpec] = TOPIC_TABLE, is_dry_run: bool = False
    ) -> None:
        self._options = KafkaOptions.of(settings, "kafka-manager")
        self._table = table
        self._is_dry_run = is_dry_run
        self._client: KafkaAdminClient | None = None

    def __enter__(self) -> KafkaManager:
        """Return itself; the connection is made when it is needed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def setup_kafka(self) -> list[TopicChange]:
        """Create what is missing, add partitions, alter what differs from the table; return that. Never delete."""
        present = self._present(self._table)
        changes = self._creations(name for name in self._table if name not in present)
        for name, state in present.items():
            changes += self._differences(state, self._table[name].partitions, self._table[name].config())
        self._apply(changes)
        return changes

    def create(
        self, topics: Iterable[str], *, partitions: int | None = None, config: Mapping[str, str] | None = None
    ) -> list[TopicChange]:
        """Create topics that are not there yet, by the table unless told otherwise."""
        wanted = list(topics)
        present = self._present(wanted)
        changes = self._creations((name for name in wanted if name not in present), partitions, config)
        self._apply(changes)
        return changes

    def delete(self, topics: Iterable[str]) -> list[TopicChange]:
        """Delete topics that are there, with all their records."""
        changes = [TopicChange(action="delete", topic=name) for name in self._present(topics)]
        self._apply(changes)
        return changes

    def names(self) -> list[str]:
        """Return the names of the topics under the prefix."""
        prefix = self._options.prefix
        names = self._admin().list_topics()
        return sorted(n.removeprefix(prefix) for n in names if n.startswith(prefix) and not n.startswith("__"))

    def describe(self, topics: Iterable[str]) -> list[TopicState]:
        """Return partitions, replication and changed configuration; raises TopicError for one that is not there."""
        wanted = list(topics)
        present = self._present(wanted)
        missing = [name for name in wanted if name not in present]
        if missing:
            raise TopicError(f"no such topic: {', '.join(missing)}")
        return [present[name] for name in wanted]

    def alter(
        self, topic: str, *, partitions: int | None = None, config: Mapping[str, str] | None = None
    ) -> list[TopicChange]:
        """Bring one topic to these partitions and settings; partitions can only grow."""
        [state] = self.describe([topic])
        if partitions is not None and partitions < state.partitions:
            raise TopicError(f"{topic} has {state.partitions} partitions; Kafka cannot take any away")
        changes = self._differences(state, partitions or state.partitions, config or {})
        self._apply(changes)
        return changes

    def config(self, topic: str) -> dict[str, str]:
        """Return the whole configuration of a topic, defaults included."""
        [state] = self.describe([topic])
        return state.config

    def _creations(
        self, names: Iterable[str], partitions: int | None = None, config: Mapping[str, str] | None = None
    ) -> list[TopicChange]:
        return [self._creation(name, partitions, config or {}) for name in names]

    def _creation(self, name: str, partitions: int | None, config: Mapping[str, str]) -> TopicChange:
        spec = self._table.get(name)
        if spec is None and partitions is None:
            raise TopicError(f"{name} is not in the table of topics: say how many partitions it gets")
        base = spec.config() if spec else {}
        count = partitions or (spec.partitions if spec else 1)
        return TopicChange(action="create", topic=name, partitions=count, config={**base, **config})

    def _differences(self, state: TopicState, partitions: int, config: Mapping[str, str]) -> list[TopicChange]:
        changes = []
        if state.partitions < partitions:
            changes.append(TopicChange(action="partitions", topic=state.topic, partitions=partitions))
        differing = {name: value for name, value in config.items() if state.config.get(name) != value}
        if differing:
            changes.append(TopicChange(action="alter", topic=state.topic, config=differing))
        return changes

    def _apply(self, changes: Iterable[TopicChange]) -> None:
        for change in () if self._is_dry_run else changes:
            try:
                self._apply_one(change, self._options.prefix + change.topic)
            except (TopicAlreadyExistsError, UnknownTopicOrPartitionError):
                continue  # someone else was faster; the outcome is the same
            except (KafkaError, ValueError) as error:
                raise TopicError(f"{change.topic}: {change.action} was refused: {error}") from error

    def _apply_one(self, change: TopicChange, name: str) -> None:
        admin = self._admin()
        if change.action == "create":
            wanted = {"num_partitions": change.partitions, "configs": change.config}
            admin.create_topics({name: wanted}, wait_for_metadata=True)
        elif change.action == "delete":
            admin.delete_topics([name])
        elif change.action == "partitions":
            admin.create_partitions({name: change.partitions})
        else:
            resource = ConfigResource(ConfigResourceType.TOPIC, name, configs=dict(change.config))
            admin.alter_configs([resource])

    def _present(self, names: Iterable[str]) -> dict[str, TopicState]:
        """Return those of the topics that the broker has."""
        prefix = self._options.prefix
        wanted = [prefix + name for name in names]
        if not wanted:
            return {}
        admin = self._admin()
        found = [topic for topic in admin.describe_topics(wanted) if topic["error_code"] != _UNKNOWN_TOPIC]
        if not found:
            return {}
        resources = [ConfigResource(ConfigResourceType.TOPIC, topic["name"]) for topic in found]
        configs = admin.describe_configs(resources, config_filter="all")["topic"]
        states = (self._state(topic, configs[topic["name"]]) for topic in found)
        return {state.topic: state for state in states}

    def _state(self, topic: dict[str, object], config: dict[str, dict[str, str]]) -> TopicState:
        name = str(topic["name"]).removeprefix(self._options.prefix)
        partitions = topic["partitions"]
        if not isinstance(partitions, list):
            raise MessagingError(f"{name}: the broker's answer names no partitions")
        return TopicState(
            topic=name,
            partitions=len(partitions),
            replication=len(partitions[0]["replica_nodes"]) if partitions else 0,
            in_table=name in self._table,
            config={key: entry["value"] for key, entry in sorted(config.items())},
        )

    def _admin(self) -> KafkaAdminClient:
        """Return the connection; raises MessagingError when no broker answers."""
        if self._client is None:
            servers = ",".join(self._options.servers)
            if not self._options.is_reachable():
                raise MessagingError(f"no broker answers at {servers} (KAFKA_URL); see scripts/setup_kafka.sh")
            try:
                self._client = KafkaAdminClient(**self._options.client("admin"))
            except KafkaError as error:
                raise MessagingError(f"the broker at {servers} does not let this client in: {error}") from error
        return self._client


def setup_kafka(settings: Settings, *, is_dry_run: bool = False) -> list[TopicChange]:
    """Bring all topics of the table to the broker; return what changed."""
    with KafkaManager(settings, is_dry_run=is_dry_run) as manager:
        return manager.setup_kafka()
