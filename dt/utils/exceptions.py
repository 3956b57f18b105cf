"""Errors of the product; `retriable` says whether the same call may succeed later."""

from __future__ import annotations


class DTError(Exception):
    """Base of every error that the product raises on purpose."""

    retriable: bool = False


class ConfigError(DTError):
    """A setting or the rig file is wrong; the text names the variable or the line."""


class MessageError(DTError):
    """A message cannot be made or read; `field` names the offender and `why` the limit."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


class SensorError(DTError):
    """A sensor gave no usable value this time."""

    retriable = True


class WireError(DTError):
    """The electrical wire is away or answered what cannot be."""

    retriable = True


class MessagingError(DTError):
    """The log did not take or give records; the broker may come back."""

    retriable = True


class MessageTooLargeError(DTError):
    """A record is larger than its topic takes; refused before it is sent."""

    def __init__(self, topic: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"{topic}: a record of {size_bytes} bytes exceeds the limit of {limit_bytes} bytes")
        self.topic = topic
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class StorageError(DTError):
    """The store refused or lost a read or write."""

    retriable = True


class StorageFullError(StorageError):
    """There is no room on the store's disk; what was stored stays readable."""


class RemoteServiceError(DTError):
    """Another service's REST endpoint is away or failed on its side."""

    retriable = True


class RefusedRequestError(DTError):
    """Another service's REST endpoint refused the request; `status` and `problem` say why."""

    def __init__(self, status: int, problem: dict[str, object]) -> None:
        super().__init__(f"{status}: {problem.get('detail') or problem.get('title') or 'refused'}")
        self.status = status
        self.problem = problem


class ConflictError(DTError):
    """What is asked contradicts what is already recorded."""
