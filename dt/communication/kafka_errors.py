"""Kafka's errors in this product's words."""

from __future__ import annotations

from kafka import errors

from dt.utils.exceptions import MessagingError

# The broker will refuse this record however often it is sent.
REFUSALS = (
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.InvalidRecordError,
    errors.InvalidTimestampError,
    errors.InvalidTopicError,
    errors.UnsupportedForMessageFormatError,
    errors.PolicyViolationError,
    errors.TopicAuthorizationFailedError,
)

# Another process carries this instance's name, or the group has moved on.
FENCED = (errors.FencedInstanceIdError,)

# The partitions went to someone else before the commit: they will be read again from the last commit on.
MOVED_ON = (
    errors.CommitFailedError,
    errors.IllegalGenerationError,
    errors.UnknownMemberIdError,
    errors.RebalanceInProgressError,
)


# A broker that has just come back, or a partition that moves: who asks again soon gets an answer.
SETTLING = (
    errors.UnknownLeaderEpochError,
    errors.FencedLeaderEpochError,
    errors.NotLeaderForPartitionError,
    errors.LeaderNotAvailableError,
    errors.OffsetNotAvailableError,
)


class RecordRefusedError(MessagingError):
    """The broker refuses a record for good."""

    retriable = False


class MissingTopicError(MessagingError):
    """The broker does not have a topic, or not yet."""


def translated(error: Exception, doing: str) -> MessagingError:
    """Return the error that handlers and callers know, saying what was being done."""
    kind = RecordRefusedError if isinstance(error, REFUSALS) else MessagingError
    return kind(f"{doing}: {type(error).__name__}: {error}")
