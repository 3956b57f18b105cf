"""The model registry: what it keeps, what it refuses, what survives."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from dt.ai.models.base_model import ModelError, ModelNotFoundError
from dt.ai.models.rule_based.dry_soil import DrySoilModel, DrySoilParameters
from dt.ai.registry import ModelRegistry
from dt.ai.storage import FileModelStorage
from dt.utils.clock import ManualClock
from dt.utils.exceptions import ConflictError

TWO = DrySoilModel(DrySoilParameters(min_readings=5), version="2")


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    """Return a registry in an empty folder."""
    return ModelRegistry(FileModelStorage(tmp_path), "token", ManualClock())


def test_first_version_is_promoted_by_itself(registry: ModelRegistry) -> None:
    """A model that is the only one is the one in use."""
    registry.register(DrySoilModel())
    registry.register(TWO)

    assert registry.promoted() == {"dry_soil": "1"}
    assert registry.get("dry_soil").version == "1"


def test_promoted_version_is_what_get_returns(registry: ModelRegistry) -> None:
    """Promotion survives a new process."""
    registry.register(DrySoilModel())
    registry.register(TWO)

    registry.promote("dry_soil", "2")

    assert registry.get("dry_soil").parameters["min_readings"] == 5


def test_list_tells_all_versions_with_checksum_and_parameters(registry: ModelRegistry) -> None:
    """What a person needs to tell versions apart."""
    registry.register(DrySoilModel())
    registry.register(TWO)

    first, second = registry.list()

    assert [first.version, second.version] == ["1", "2"]
    assert second.parameters["min_readings"] == 5
    assert len(first.checksum) == 64
    assert first.category == "rule_based"


def test_same_model_again_changes_nothing(registry: ModelRegistry, tmp_path: Path) -> None:
    """Services register their built-in models at every start."""
    registry.register(DrySoilModel())
    before = (tmp_path / "registry.json").read_bytes()

    registry.register(DrySoilModel())

    assert (tmp_path / "registry.json").read_bytes() == before


def test_other_content_under_a_known_version_is_refused(registry: ModelRegistry) -> None:
    """A version never changes its meaning."""
    registry.register(DrySoilModel())

    with pytest.raises(ConflictError, match="another content"):
        registry.register(DrySoilModel(DrySoilParameters(window=9)))


def test_changed_file_is_not_loaded(registry: ModelRegistry, tmp_path: Path) -> None:
    """The SHA-256 that was recorded must match."""
    registry.register(DrySoilModel())
    (tmp_path / "rule_based" / "dry_soil-1.json").write_bytes(b'{"window": 5}')

    with pytest.raises(ModelError, match="SHA-256"):
        registry.get("dry_soil")


def test_changed_file_with_a_fitting_checksum_is_not_loaded_without_the_token(tmp_path: Path) -> None:
    """Who can write files but has no token cannot sign."""
    ModelRegistry(FileModelStorage(tmp_path), "another token", ManualClock()).register(DrySoilModel())

    with pytest.raises(ModelError, match="signature"):
        ModelRegistry(FileModelStorage(tmp_path), "token", ManualClock()).get("dry_soil")


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_is_refused_unread(registry: ModelRegistry, tmp_path: Path, protocol: int) -> None:
    """Opening a pickle runs its author's code: it is refused by its first bytes."""
    registry.register(DrySoilModel())
    (tmp_path / "rule_based" / "dry_soil-1.json").write_bytes(pickle.dumps({"window": 5}, protocol))

    with pytest.raises(ModelError, match="pickles are refused"):
        registry.get("dry_soil")


def test_pickle_by_name_cannot_be_stored(tmp_path: Path) -> None:
    """Old text pickles have no mark; their usual names do."""
    with pytest.raises(ModelError, match="pickles are refused"):
        FileModelStorage(tmp_path).write("old.pkl", b"(lp0\n.")


def test_names_cannot_leave_the_folder(tmp_path: Path) -> None:
    """A path with dots ends at the folder's border."""
    with pytest.raises(ModelError, match="outside"):
        FileModelStorage(tmp_path / "models").write("../evil.json", b"{}")


def test_unknown_model_is_said_by_name(registry: ModelRegistry) -> None:
    """Nothing is registered yet."""
    with pytest.raises(ModelNotFoundError, match="dry_soil: is not registered"):
        registry.get("dry_soil")


def test_broken_index_is_an_error_of_the_domain(registry: ModelRegistry, tmp_path: Path) -> None:
    """A damaged registry.json is said, not a traceback."""
    registry.register(DrySoilModel())
    (tmp_path / "registry.json").write_text("{")

    with pytest.raises(ModelError, match=r"registry\.json"):
        registry.get("dry_soil")


def test_writing_leaves_nothing_beside_the_files(registry: ModelRegistry, tmp_path: Path) -> None:
    """Files appear whole, and no half ones stay behind."""
    registry.register(DrySoilModel())
    registry.register(TWO)

    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert names == [".lock", "registry.json", "rule_based/dry_soil-1.json", "rule_based/dry_soil-2.json"]
    assert json.loads((tmp_path / "registry.json").read_text())["promoted"] == {"dry_soil": "1"}
