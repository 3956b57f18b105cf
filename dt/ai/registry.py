"""Which models there are, which version of each is in use, and whether their files are what was registered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dt.ai.models.base_model import BaseModel, ModelError, ModelMetadata, ModelNotFoundError
from dt.ai.models.kinds import model_class
from dt.ai.storage import ModelStorage
from dt.utils.clock import Clock
from dt.utils.codec import Message
from dt.utils.exceptions import ConflictError, MessageError
from dt.utils.secrets import sign, verify

INDEX = "registry.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry(Message):
    """One registered version: its description, its file, and the signature of that file under the service token."""

    metadata: ModelMetadata
    file: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Index(Message):
    """What `registry.json` holds: every entry, and the promoted version of each name."""

    models: tuple[ModelEntry, ...] = ()
    promoted: dict[str, str] = field(default_factory=dict)
    schema: int = 1


class ModelRegistry:
    """Registers, lists, promotes and loads models; several processes may share one store."""

    def __init__(self, storage: ModelStorage, token: str, clock: Clock) -> None:
        self._storage = storage
        self._token = token
        self._clock = clock

    def register(self, model: BaseModel, *, promote: bool = False) -> ModelMetadata:
        """Keep a model; the same again changes nothing, another under the same version raises ConflictError.

        The first version of a name is promoted by itself.
        """
        data = model.to_bytes()
        with self._storage.locked():
            index = self._index()
            entry = _entry(index, model.name, model.version)
            if entry is None:
                entry = self._keep(model, data)
                index = replace(index, models=(*index.models, entry))
            elif entry.metadata.checksum != _checksum(data):
                raise ConflictError(f"{model.name} {model.version}: is registered already, and with another content")
            if promote or model.name not in index.promoted:
                index = replace(index, promoted={**index.promoted, model.name: model.version})
            self._write(index)
        return entry.metadata

    def get(self, name: str, version: str | None = None) -> BaseModel:
        """Load a version, or the promoted one; raises ModelError unless checksum and signature match its file."""
        index = self._index()
        version = version or index.promoted.get(name)
        entry = None if version is None else _entry(index, name, version)
        if entry is None:
            raise ModelNotFoundError(f"{name} {version or ''}".rstrip() + ": is not registered")
        return model_class(name).from_bytes(self._trusted_bytes(entry), entry.metadata.version)

    def list(self) -> tuple[ModelMetadata, ...]:
        """Return every version that is registered, oldest first."""
        return tuple(entry.metadata for entry in self._index().models)

    def promoted(self) -> Mapping[str, str]:
        """Return the version of each name that is in use."""
        return self._index().promoted

    def promote(self, name: str, version: str) -> ModelMetadata:
        """Put a version in use, once it has been loaded without complaint."""
        with self._storage.locked():
            self.get(name, version)
            index = self._index()
            self._write(replace(index, promoted={**index.promoted, name: version}))
        entry = _entry(index, name, version)
        if entry is None:
            raise ModelNotFoundError(f"{name} {version}: is not registered")
        return entry.metadata

    def _keep(self, model: BaseModel, data: bytes) -> ModelEntry:
        metadata = model.metadata(self._clock.wall(), _checksum(data))
        file = f"{metadata.category}/{metadata.name}-{metadata.version}.json"
        self._storage.write(file, data)
        return ModelEntry(metadata=metadata, file=file, signature=sign(_signed(metadata), self._token).decode())

    def _trusted_bytes(self, entry: ModelEntry) -> bytes:
        data = self._storage.read(entry.file)
        what = f"{entry.metadata.name} {entry.metadata.version}"
        if _checksum(data) != entry.metadata.checksum:
            raise ModelError(f"{what}: {entry.file} is not what was registered (its SHA-256 differs)")
        if not verify(_signed(entry.metadata), entry.signature.encode(), self._token):
            raise ModelError(f"{what}: was registered under another token (its signature does not match)")
        return data

    def _index(self) -> Index:
        try:
            return Index.from_json(self._storage.read(INDEX))
        except ModelNotFoundError:
            return Index()
        except MessageError as error:
            raise ModelError(f"{INDEX}: {error}") from error

    def _write(self, index: Index) -> None:
        self._storage.write(INDEX, json.dumps(index.to_dict(), indent=2, sort_keys=True).encode() + b"\n")


def _entry(index: Index, name: str, version: str) -> ModelEntry | None:
    wanted = (name, version)
    return next((entry for entry in index.models if (entry.metadata.name, entry.metadata.version) == wanted), None)


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _signed(metadata: ModelMetadata) -> bytes:
    """Return what the signature covers: name and version beside the checksum, so that files cannot be swapped."""
    return f"{metadata.name}\n{metadata.version}\n{metadata.checksum}".encode()
