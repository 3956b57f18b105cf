"""Records that DATABASE_URL left where they were are told of."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from dt.data.database.left_behind import records_left_behind
from dt.data.database.records_db import RecordsDB
from dt.data.database.records_opening import open_records
from dt.operations.checkup import Finding, Machine, Patient
from dt.operations.doctor_storage import check_records
from dt.utils.config import Settings
from tests.data.readings import NOW


@pytest.mark.parametrize("other", ["sqlite:///{folder}/other.db", "postgresql://u:p@h/n"])
def test_file_that_another_address_leaves_behind_is_found(settings: Settings, tmp_path: Path, other: str) -> None:
    """The usual address, said or not, leaves nothing behind; neither does a new installation."""
    moved = settings.model_copy(update={"database_url": other.format(folder=tmp_path)})
    said = settings.model_copy(update={"database_url": f"sqlite:///{settings.data_dir}/records.db"})
    assert records_left_behind(moved) is None

    RecordsDB(settings.records_url).close()

    assert [records_left_behind(one) for one in (settings, said)] == [None, None]
    assert records_left_behind(moved) == settings.data_dir / "records.db"


def test_start_and_doctor_say_what_does_not_follow(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And how it is moved."""
    RecordsDB(settings.records_url).close()
    moved = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/other.db"})

    with closing(open_records(moved, NOW)):
        check = check_records(Patient(settings=moved, origins={}, machine=Machine()))

    assert "does not follow" in caplog.text
    assert "dt backup FILE without DATABASE_URL" in caplog.text
    assert check.finding is Finding.WARNING
    assert "dt restore" in check.remedy
    assert check_records(Patient(settings=settings, origins={}, machine=Machine())).finding is Finding.OK
