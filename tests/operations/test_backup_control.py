"""`dt backup` and `dt restore` of what controller and alerts remember: no decision is lost, and none is widened."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from dt.alerts.addresses import FILE as ADDRESSES_FILE
from dt.alerts.notice import Notice
from dt.alerts.notice_queue import QUEUE_FILE, NoticeQueue
from dt.alerts.rules_file import load_rules
from dt.controller.decisions import Decisions
from dt.controller.effect_usual import HealthyDose, PumpPast, UsualFile
from dt.controller.guard_clock import SystemGuardClock
from dt.controller.ledger import Ledger
from dt.controller.locks import LockOut, Locks
from dt.controller.modes import Mode
from dt.controller.rig_limits import LEDGER_FILE, guard_folder
from dt.controller.vacation import Vacation
from dt.operations.archive import BackupError
from dt.operations.backup_control import DECISIONS_MEMBER, LOCKS_MEMBER, QUEUE_MEMBER, USUAL_MEMBER
from dt.utils.clock import ManualClock
from dt.utils.config import Settings
from dt.utils.dataclasses import Policy, Severity
from tests.data.readings import NOW
from tests.operations.test_backup import backed_up, restored, writing

PUMP, FAN = "pump", "fan"
RULES = "[default]\nopens_after_s = 7.0\n"


@pytest.fixture
def home(settings: Settings, tmp_path: Path) -> Settings:
    """Return settings of an installation with rules of its own."""
    rig = tmp_path / "rig.toml"
    rig.write_bytes(settings.rig_file.read_bytes())
    (settings.data_dir / "alerts").mkdir(parents=True)
    return settings.model_copy(update={"rig_file": rig, "alerts_file": tmp_path / "alerts.toml"})


@pytest.fixture
def elsewhere(home: Settings, tmp_path: Path) -> Settings:
    """Return settings of an empty machine."""
    place = tmp_path / "elsewhere"
    files = {"rig_file": place / "rig.toml", "alerts_file": place / "my-alerts.toml"}
    return home.model_copy(update={"data_dir": place / "data", **files})


def decisions_of(settings: Settings, clock: ManualClock) -> Decisions:
    """Return what people decided there."""
    return Decisions(settings.data_dir / DECISIONS_MEMBER, clock, {})


def locks_of(settings: Settings, clock: ManualClock) -> Locks:
    """Return what is locked out there."""
    return Locks(settings.data_dir / LOCKS_MEMBER, clock, [PUMP, FAN])


def lock_out(actuator_id: str, clock: ManualClock, why: str = "the soil did not get wetter") -> LockOut:
    """Return a lock-out of now."""
    return LockOut(actuator_id=actuator_id, invariant="S7", why=why, since=clock.wall())


def notice(number: int) -> tuple[Notice, str, float]:
    """Return a notice for one address, due at once."""
    made = Notice(
        notice_id=f"n{number}",
        alert_id=f"a{number}",
        group="box",
        severity=Severity.WARNING,
        is_over=False,
        text="dry",
        at=NOW,
    )
    return made, "ada", 0.0


def test_what_people_decided_comes_back_from_a_busy_folder(
    home: Settings, elsewhere: Settings, tmp_path: Path, clock: ManualClock
) -> None:
    """Policies, modes, a vacation, lock-outs and rules are the same; notices while they are being written are whole."""
    home.alerts_file.write_text(RULES)
    decided, past = decisions_of(home, clock), PumpPast(flow_ml_s=2.0, pot_volume_l=3.0, doses=())
    decided.set_policy(Policy.from_dict({"plant_id": "basil", "actuator_id": PUMP, "policy": "schedule", "by": "ada"}))
    decided.set_mode(PUMP, Mode.AUTOMATIC, "ada")
    decided.set_mode(FAN, Mode.OFF, "ada")
    decided.start_vacation(Vacation(by="ada", since=clock.wall(), until=clock.wall() + 86_400))
    locks_of(home, clock).lock(lock_out(PUMP, clock))
    dose = HealthyDose(poured=0.1, share=2.0)
    UsualFile(home.data_dir / USUAL_MEMBER).learn(PUMP, past, dose)
    with closing(NoticeQueue(home.data_dir / QUEUE_FILE)) as queue:

        def write(number: int) -> None:
            queue.put([notice(10 * number + i) for i in range(10)], clock.wall())

        with writing(write, at_least=5) as written:
            before = written[0]
            backed_up(home, tmp_path / "b.tar.gz")
            after = written[0]

    done = restored(elsewhere, tmp_path / "b.tar.gz")

    back = decisions_of(elsewhere, clock)
    assert back.policy_of(PUMP) == decided.policy_of(PUMP)
    assert back.vacation == decided.vacation
    assert (back.mode_of(PUMP).mode, back.mode_of(FAN).mode) == (Mode.RECOMMEND, Mode.OFF)
    assert locks_of(elsewhere, clock).all() == [lock_out(PUMP, clock)]
    assert (elsewhere.data_dir / USUAL_MEMBER).read_bytes() == (home.data_dir / USUAL_MEMBER).read_bytes()
    assert load_rules(elsewhere.alerts_file).default.opens_after_s == 7.0
    [remark] = [one for one in done.remarks if "notices" in one]
    assert 10 * before <= int(remark.split()[0]) <= 10 * (after + 1)
    assert int(remark.split()[0]) % 10 == 0


def test_notices_of_that_time_are_not_sent_again(
    home: Settings, elsewhere: Settings, tmp_path: Path, clock: ManualClock
) -> None:
    """What waited at the backup was sent since, or is no news; that it was known stays known."""
    with closing(NoticeQueue(home.data_dir / QUEUE_FILE)) as queue:
        queue.put([notice(1)], clock.wall())
        queue.ask("a1", 5.0)
    backed_up(home, tmp_path / "b.tar.gz")

    restored(elsewhere, tmp_path / "b.tar.gz")

    with closing(NoticeQueue(elsewhere.data_dir / QUEUE_FILE)) as queue:
        queue.put([notice(1)], clock.wall())
        assert queue.waiting() == []
        assert queue.asked() == {"a1": 5.0}


def test_addresses_of_notices_are_secrets(home: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    """Their URLs hold passwords: they come along only when asked for, and are the owner's alone."""
    (home.data_dir / ADDRESSES_FILE).write_text('urls = ["ntfy://word"]\n')

    plain, full = (backed_up(home, tmp_path / f"{flag}.tar.gz", with_secrets=flag) for flag in (False, True))
    restored(elsewhere, tmp_path / "True.tar.gz")

    assert not any("notices.toml" in name for name in plain.members)
    assert full.counts["secrets"] == 1
    assert (elsewhere.data_dir / ADDRESSES_FILE).read_text() == 'urls = ["ntfy://word"]\n'
    assert (elsewhere.data_dir / ADDRESSES_FILE).stat().st_mode & 0o777 == 0o600


def test_s07_restore_releases_no_lock_out(home: Settings, tmp_path: Path, clock: ManualClock) -> None:
    """One that came after the backup holds beside those of it."""
    locks_of(home, clock).lock(lock_out(PUMP, clock, "of the backup"))
    backed_up(home, tmp_path / "b.tar.gz")
    locks_of(home, clock).release(PUMP, "ada")
    locks_of(home, clock).lock(lock_out(FAN, clock))

    done = restored(home, tmp_path / "b.tar.gz", force=True)

    assert {one.actuator_id for one in locks_of(home, clock).all()} == {PUMP, FAN}
    assert "the lock-outs that were here stay in force" in done.remarks


@pytest.mark.parametrize("damaged", ["backup", "folder"])
def test_s07_lock_outs_that_nobody_can_read_lock_all_out(
    home: Settings, tmp_path: Path, clock: ManualClock, damaged: str
) -> None:
    """Whether the backup or the folder has the damaged file."""
    texts = {"backup": "{}", "folder": "{}"} | {damaged: "{no json"}
    locks = home.data_dir / LOCKS_MEMBER
    locks.parent.mkdir()
    locks.write_text(texts["backup"])
    backed_up(home, tmp_path / "b.tar.gz")
    locks.write_text(texts["folder"])

    restored(home, tmp_path / "b.tar.gz", force=True)

    assert {one.actuator_id for one in locks_of(home, clock).all()} == {PUMP, FAN}


def test_s03_no_budget_is_fresh_after_a_restore_of_everything(
    home: Settings, elsewhere: Settings, tmp_path: Path, clock: ManualClock
) -> None:
    """Decisions and lock-outs beside it change nothing: the day's water counts as given, the stop is on."""
    with closing(Ledger(guard_folder(home) / LEDGER_FILE, SystemGuardClock())):
        decisions_of(home, clock).set_mode(PUMP, Mode.AUTOMATIC, "ada")
    backed_up(home, tmp_path / "b.tar.gz", with_secrets=True)

    restored(elsewhere, tmp_path / "b.tar.gz")

    with closing(Ledger(guard_folder(elsewhere) / LEDGER_FILE, SystemGuardClock())) as ledger:
        assert ledger.stopped_by() is not None
        assert ledger.spent_ml("basil") >= 400.0
    assert decisions_of(elsewhere, clock).grant_of(PUMP) is None


def test_restore_over_settings_that_are_there_is_refused_or_keeps_them(home: Settings, tmp_path: Path) -> None:
    """Without --force nothing is touched; rules of alerts that differ are kept aside."""
    home.alerts_file.write_text(RULES)
    with closing(NoticeQueue(home.data_dir / QUEUE_FILE)):
        pass
    backed_up(home, tmp_path / "b.tar.gz")
    home.alerts_file.write_text("# mine\n")

    with pytest.raises(BackupError, match="not empty"):
        restored(home, tmp_path / "b.tar.gz")
    assert home.alerts_file.read_text() == "# mine\n"
    done = restored(home, tmp_path / "b.tar.gz", force=True)

    assert home.alerts_file.read_text() == RULES
    [aside] = [path for path in done.kept_aside if path.name.startswith("alerts.toml")]
    assert aside.read_text() == "# mine\n"


def test_file_that_holds_no_notices_is_refused(home: Settings, elsewhere: Settings, tmp_path: Path) -> None:
    """A stranger's backup puts nothing in place."""
    with closing(NoticeQueue(home.data_dir / QUEUE_FILE)) as queue:
        queue._db.execute("DROP TABLE notices")
    backed_up(home, tmp_path / "b.tar.gz")

    with pytest.raises(BackupError, match=QUEUE_MEMBER):
        restored(elsewhere, tmp_path / "b.tar.gz")
    assert not elsewhere.data_dir.exists()
