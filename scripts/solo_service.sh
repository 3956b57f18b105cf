#!/usr/bin/env bash
# `dt solo` as a systemd service of this checkout and its owner: started at boot, and again when it fails.
set -euo pipefail

readonly UNIT=/etc/systemd/system/plant-twin.service
readonly GUARD_UNIT=/etc/systemd/system/plant-twin-guard.service
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT

usage() {
  cat <<TEXT
Usage: solo_service.sh print | install | print-guard | install-guard | remove

  print           write the unit to stdout, change nothing
  install         put it in place, enable and start it (needs root)
  print-guard     write the unit of a guard of its own, which systemd watches, to stdout
  install-guard   put that in place, enable and start it (needs root)
  remove          stop and delete both; data, logs and settings stay (needs root)

Settings are those of $ROOT/.env, HARDWARE=pi unless that says otherwise.
Exit code: 0 done, 1 failed, 2 wrong use.
TEXT
}

die() { printf 'solo_service.sh: %s\n' "$*" >&2; exit 1; }

require_system() {
  [[ $(id -u) == 0 ]] || die "this needs root: say sudo scripts/solo_service.sh ..."
  [[ -d /run/systemd/system ]] || die "systemd does not run here: run .venv/bin/dt solo by hand"
}

# The guard is a process of its own within the service; by SIGTERM it switches the outputs off and ends. A wrong setting
# (exit code 2) does not become right by starting again.
unit() {
  cat <<TEXT
[Unit]
Description=Plant Twin: sensors, pump and dashboard of one rig
After=network-online.target time-sync.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
User=$(stat -c %U "$ROOT")
WorkingDirectory=$ROOT
Environment=HARDWARE=pi
EnvironmentFile=-$ROOT/.env
ExecStart=$ROOT/.venv/bin/dt solo
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=2
TimeoutStopSec=10
NoNewPrivileges=yes
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
TEXT
}

# The guard outlives the service above, which finds it by its sockets. Its parent says WATCHDOG=1 twice a second while it
# lives: one that hangs is killed and started again, and claims the pins in their safe state.
guard_unit() {
  cat <<TEXT
[Unit]
Description=Plant Twin: guard of the actuators
Before=plant-twin.service
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
WatchdogSec=2
TimeoutStartSec=infinity
TimeoutStopSec=5
User=$(stat -c %U "$ROOT")
WorkingDirectory=$ROOT
Environment=DATA_DIR=data
EnvironmentFile=-$ROOT/.env
ExecStart=$ROOT/.venv/bin/python -m dt.controller.guard_process --config \${DATA_DIR}/guard/guard.json --socket-dir \${DATA_DIR}/guard
Restart=always
RestartSec=1
NoNewPrivileges=yes

[Install]
WantedBy=multi-user.target
TEXT
}

install_guard() {
  require_system
  [[ -x $ROOT/.venv/bin/python ]] || die "$ROOT/.venv/bin/python is missing: make install-rpi first"
  guard_unit >"$GUARD_UNIT"
  systemctl daemon-reload
  systemctl enable --quiet plant-twin-guard
  systemctl restart plant-twin-guard
  printf 'the guard runs as service plant-twin-guard; after a change of the rig: systemctl restart plant-twin-guard\n'
}

install_unit() {
  require_system
  [[ -x $ROOT/.venv/bin/dt ]] || die "$ROOT/.venv/bin/dt is missing: make install-rpi first"
  unit >"$UNIT"
  systemctl daemon-reload
  systemctl enable --quiet plant-twin
  systemctl restart plant-twin
  printf 'dt solo runs as service plant-twin: journalctl -u plant-twin -f\n'
}

remove_unit() {
  require_system
  systemctl disable --quiet --now plant-twin || true
  [[ ! -e $GUARD_UNIT ]] || systemctl disable --quiet --now plant-twin-guard || true
  rm -f "$UNIT" "$GUARD_UNIT"
  systemctl daemon-reload
}

case ${1:-} in
  print) unit ;;
  install) install_unit ;;
  print-guard) guard_unit ;;
  install-guard) install_guard ;;
  remove) remove_unit ;;
  --help | -h) usage ;;
  *) usage >&2; exit 2 ;;
esac
