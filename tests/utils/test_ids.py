"""Ids tell the instant of what they name, and stay UUIDs."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt.utils.codec import LATEST_TIMESTAMP
from dt.utils.exceptions import MessageError
from dt.utils.ids import derived_id, new_correlation_id, time_in, trace_parent

instants = st.floats(0.0, LATEST_TIMESTAMP).map(lambda at: round(at * 1000.0) / 1000.0)


@given(instants)
def test_every_id_tells_its_instant_to_the_millisecond(at: float) -> None:
    """Random and derived ones, from 1970 to the year 9999."""
    assert time_in(new_correlation_id(at)) == at
    assert time_in(derived_id("vpd", "parent", at=at)) == at


@given(instants, st.lists(st.text(), max_size=4))
def test_ids_have_version_and_variant_of_the_standard(at: float, parts: list[str]) -> None:
    """RFC 9562: version 7 for what is born, 8 for what is derived."""
    born, derived = uuid.UUID(new_correlation_id(at)), uuid.UUID(derived_id(*parts, at=at))

    assert (born.version, born.variant) == (7, uuid.RFC_4122)
    assert (derived.version, derived.variant) == (8, uuid.RFC_4122)


def test_ids_of_one_instant_are_all_different() -> None:
    """A camera and a probe may look at the same millisecond."""
    assert len({new_correlation_id(1.8e9) for _ in range(10_000)}) == 10_000


def test_a_derived_id_depends_on_each_part_and_on_the_instant() -> None:
    """The same again and again, another for anything else."""
    made = {derived_id("a", "b", at=1.0), derived_id("ab", at=1.0), derived_id("a", "b", at=2.0), derived_id(at=1.0)}

    assert len(made) == 4
    assert derived_id("a", "b", at=1.0) in made


def test_ids_sort_by_time() -> None:
    """An index of ids grows at its end."""
    ids = [new_correlation_id(at) for at in (0.0, 0.001, 1.0, 1.8e9, 1.8e9 + 0.001, LATEST_TIMESTAMP)]

    assert ids == sorted(ids)


@pytest.mark.parametrize(
    "other", ["5f0c2f0e-7f5b-4a53-9d6b-0d4f3f6a2b11", "air-t@1", "", "0" * 36, "55673bce-e8d0-11f1-beb1-02fc00000001"]
)
def test_older_and_foreign_ids_tell_no_time(other: str) -> None:
    """They stay valid: nothing fails over them."""
    assert time_in(other) is None
    assert trace_parent(other).startswith("00-")


@pytest.mark.parametrize("at", [-0.001, LATEST_TIMESTAMP + 1.0, float("nan"), float("inf")])
def test_an_instant_that_cannot_be_is_refused(at: float) -> None:
    """With the field's name and its limits."""
    with pytest.raises(MessageError, match="timestamp: must be UTC epoch seconds from 0 to"):
        new_correlation_id(at)
