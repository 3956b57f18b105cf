"""What every model is: a name, a version, parameters that can be kept, and a description of itself."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Self

from dt.utils.codec import Message, Timestamp
from dt.utils.exceptions import DTError, MessageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")  # names and versions become parts of file names


class ModelError(DTError):
    """A model cannot be kept, found, trusted or loaded."""


class ModelNotFoundError(ModelError):
    """The registry knows no such model or version."""


class ModelCategory(StrEnum):
    """How a model comes to know what it knows."""

    RULE_BASED = "rule_based"
    ONLINE = "online"
    OFFLINE = "offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetadata(Message):
    """A model's description; `checksum` is the SHA-256 of the bytes that are kept of it."""

    name: str
    version: str
    category: ModelCategory
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    created_at: Timestamp
    parameters: dict[str, Any] = field(default_factory=dict)
    checksum: str = ""
    schema: int = 1

    def ensure_consistent(self) -> None:
        """Refuse names that would not be safe as file names."""
        for name in ("name", "version"):
            if not _NAME.match(getattr(self, name)):
                raise MessageError(name, "must be 1 to 64 letters, digits, dots, dashes or underscores")


class BaseModel(ABC):
    """Base of every model; subclasses say what goes in, what comes out, and how they are kept as bytes."""

    name: ClassVar[str]
    category: ClassVar[ModelCategory]
    inputs: ClassVar[tuple[str, ...]]
    outputs: ClassVar[tuple[str, ...]]

    def __init__(self, version: str) -> None:
        self.version = version

    @property
    @abstractmethod
    def parameters(self) -> Mapping[str, Any]:
        """Return what a person would want to see of the model, as plain JSON values."""

    @abstractmethod
    def to_bytes(self) -> bytes:
        """Return all that `from_bytes` needs; the same model gives the same bytes."""

    @classmethod
    @abstractmethod
    def from_bytes(cls, data: bytes, version: str) -> Self:
        """Make the model of its bytes; raises ModelError, and runs no code that they hold."""

    def metadata(self, created_at: float, checksum: str = "") -> ModelMetadata:
        """Describe the model; `created_at` in UTC epoch seconds."""
        return ModelMetadata(
            name=self.name,
            version=self.version,
            category=self.category,
            inputs=self.inputs,
            outputs=self.outputs,
            parameters=dict(self.parameters),
            created_at=created_at,
            checksum=checksum,
        )
