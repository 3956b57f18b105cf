#!/usr/bin/env bash
# Installs InfluxDB 2: its vendor's Debian package, or built from its Go module; starts one only when asked.
set -euo pipefail

readonly INFLUXDB_VERSION=2.7.12
readonly MIN_GO=1.23
readonly MIN_RUST=1.72
readonly START_TIMEOUT_S=60
readonly STOP_TIMEOUT_S=30
# The vendor's archive key as its manual prints it (docs.influxdata.com/influxdb/v2/install).
readonly KEY_FINGERPRINT=24C975CBA61A024EE1B631787C3D57159FC2F927

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly HERE
KEY_URL=${INFLUXDB_KEY_URL:-https://repos.influxdata.com/influxdata-archive.key}
APT_URL=${INFLUXDB_APT_URL:-https://repos.influxdata.com/debian}
CACHE_DIR=${INFLUXDB_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/plant-twin/influxd-$INFLUXDB_VERSION}

SOURCE=package
ROOT=''
COMMAND=install
PORT=8086
ORG=plant-twin
BUCKET=plant_twin

usage() {
  cat <<TEXT
Usage: setup_influxdb.sh                                      the vendor's Debian package (root); starts nothing
       setup_influxdb.sh --from-source                        builds influxd $INFLUXDB_VERSION into the cache, without root
       setup_influxdb.sh [source] --dir DIR --start           and starts one of your own on loopback, set up
       setup_influxdb.sh --dir DIR --stop | --status

Where influxd comes from:
  (nothing)              apt, from $APT_URL, its key checked by fingerprint
  --from-source          its Go module, checked against scripts/influx/go.sum; needs Go $MIN_GO, Rust $MIN_RUST, gcc, make, pkg-config
  --from-cache           what --from-source left there, else what is on the PATH; nothing is installed

Options:
  --dir DIR              where one of your own keeps its data
  --start                start it on 127.0.0.1; at the first start make organisation, bucket and token, and write them as
                         settings to DIR/influx.env (mode 0600)
  --stop, --status       of the one in DIR
  --port N               its port ($PORT)
  --org NAME, --bucket NAME   for its first start ($ORG, $BUCKET)
  --help                 this text

Environment: INFLUXDB_CACHE_DIR ($CACHE_DIR), INFLUXDB_APT_URL, INFLUXDB_KEY_URL
Exit code: 0 done, 1 failed (status: not running), 2 wrong use.
TEXT
}

say() { printf '%s\n' "$*"; }
tell() { printf '%s\n' "$*" >&2; }
die() { tell "setup_influxdb.sh: $*"; exit 1; }
wrong_use() { tell "setup_influxdb.sh: $* (see --help)"; exit 2; }
require() { command -v "$1" >/dev/null || die "$1 is not installed: ${2:-sudo apt-get install $1}"; }

# take_lock DIR: two runs on one folder wait for each other.
take_lock() {
  mkdir -p "$1" || die "cannot make $1"
  require flock "sudo apt-get install util-linux"
  exec 9>"$1/.lock"
  flock --wait 1800 9 || die "another setup_influxdb.sh is at work on $1"
}

need_value() { [[ $# -ge 2 && -n $2 ]] || wrong_use "$1 needs a value"; }
need_name() { [[ $2 =~ ^[A-Za-z0-9_.-]{1,64}$ ]] || wrong_use "$1 needs a name of letters, digits, '_', '.' and '-', not '$2'"; }
need_port() {
  if ! [[ $2 =~ ^[0-9]{1,5}$ ]] || ((10#$2 < 1 || 10#$2 > 65535)); then wrong_use "$1 needs a port from 1 to 65535, not '$2'"; fi
}

parse() {
  while (($#)); do
    case $1 in
      --from-source) SOURCE=source ;;
      --from-cache) SOURCE=cache ;;
      --dir) need_value "$@"; ROOT=$2; shift ;;
      --start | --stop | --status) COMMAND=${1#--} ;;
      --port) need_value "$@"; need_port "$@"; PORT=$2; shift ;;
      --org) need_value "$@"; need_name "$@"; ORG=$2; shift ;;
      --bucket) need_value "$@"; need_name "$@"; BUCKET=$2; shift ;;
      --help | -h) usage; exit 0 ;;
      *) wrong_use "unknown argument '$1'" ;;
    esac
    shift
  done
  if [[ $COMMAND != install && -z $ROOT ]]; then wrong_use "--$COMMAND needs --dir DIR"; fi
}

# find_influxd: the cache's own, else the one on the PATH.
find_influxd() {
  if built_is_good; then printf '%s' "$CACHE_DIR/bin/influxd"; else command -v influxd; fi
}

install_influxd() {
  case $SOURCE in
    package) install_package ;;
    source) build_influxd ;;
    cache) find_influxd >/dev/null || die "no influxd in $CACHE_DIR nor on the PATH: build it with --from-source" ;;
  esac
}

main() {
  parse "$@"
  [[ -z $ROOT ]] || ROOT=$(realpath --canonicalize-missing "$ROOT")
  case $COMMAND in
    install) install_influxd ;;
    start) install_influxd; start_server ;;
    stop) stop_server ;;
    status) show_status ;;
  esac
}

# shellcheck source=scripts/influx/build.sh
source "$HERE/influx/build.sh"
# shellcheck source=scripts/influx/package.sh
source "$HERE/influx/package.sh"
# shellcheck source=scripts/influx/server.sh
source "$HERE/influx/server.sh"
main "$@"
