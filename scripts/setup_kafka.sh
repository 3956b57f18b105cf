#!/usr/bin/env bash
# Installs Apache Kafka in KRaft mode (no ZooKeeper) as one broker; running it again changes nothing.
set -euo pipefail

readonly KAFKA_VERSION=4.3.1
readonly SCALA_VERSION=2.13
readonly KAFKA_USER=kafka
readonly MIN_JAVA=17
readonly START_TIMEOUT_S=120
readonly STOP_TIMEOUT_S=30

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly HERE
DOWNLOAD_URL=${KAFKA_DOWNLOAD_URL:-https://archive.apache.org/dist/kafka/$KAFKA_VERSION}
CACHE_DIR=${KAFKA_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/plant-twin/kafka-$KAFKA_VERSION}

ROOT=/opt/kafka
COMMAND=install
IS_SYSTEM=yes
SOURCE=''
ARCHIVE=''
SHA512=''
PORT=''
CONTROLLER_PORT=''
EXTERNAL_PORT=''
EXTERNAL_HOST=''
HEAP=''

usage() {
  cat <<TEXT
Usage: setup_kafka.sh [options]                                      /opt/kafka and a systemd service (root)
       setup_kafka.sh --user DIR [options] [install|start|stop|status]  a broker of your own in DIR

Where Kafka $KAFKA_VERSION comes from (chosen by what is at hand when none is given):
  --download             the official archive, checked against its published SHA-512
  --archive FILE         a local copy of the archive, with --sha512 SUM (or FILE.sha512 beside it)
  --maven                the release jars by Maven, checked against scripts/kraft/jars.sha256

Options:
  --user DIR             install to DIR without root; start, stop and status work on it
  --port N               clients on this machine (9092)
  --controller-port N    the broker's own quorum (port + 1)
  --external-port N      second listener, of the system broker (port + 2): loopback unless --external is given
  --external HOST        let machines elsewhere in under this name: TLS and a SCRAM login are made for them
  --heap SIZE            Java heap (256m)
  --print-unit           print the systemd unit and end
  --help                 this text

Environment: JAVA_HOME, KAFKA_CACHE_DIR ($CACHE_DIR), KAFKA_DOWNLOAD_URL ($DOWNLOAD_URL)
Exit code: 0 done, 1 failed (status: not running), 2 wrong use.
TEXT
}

say() { printf '%s\n' "$*"; }
tell() { printf '%s\n' "$*" >&2; }
die() { tell "setup_kafka.sh: $*"; exit 1; }
wrong_use() { tell "setup_kafka.sh: $* (see --help)"; exit 2; }

# require PROGRAM [HOW]: end with a remedy when a program is missing.
require() { command -v "$1" >/dev/null || die "$1 is not installed: ${2:-sudo apt-get install $1}"; }

# java_tool NAME: the program of JAVA_HOME where that is set, else of the PATH.
java_tool() {
  if [[ -n ${JAVA_HOME:-} && -x $JAVA_HOME/bin/$1 ]]; then printf '%s' "$JAVA_HOME/bin/$1"; else command -v "$1"; fi
}

check_java() {
  local java version
  local remedy="Kafka $KAFKA_VERSION needs Java $MIN_JAVA or newer. On Debian or Ubuntu: sudo apt-get install openjdk-17-jre-headless"
  java=$(java_tool java) || die "no Java found. $remedy"
  version=$("$java" -version 2>&1 | sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1)
  [[ -n $version ]] || die "$java does not tell its version. $remedy"
  ((version >= MIN_JAVA)) || die "$java is Java $version. $remedy"
}

# Two installers on one folder wait for each other; the broker itself does not inherit the lock.
take_lock() {
  mkdir -p "$ROOT" || die "cannot make $ROOT"
  require flock "sudo apt-get install util-linux"
  exec 9>"$ROOT/.lock"
  flock --wait 300 9 || die "another setup_kafka.sh is at work on $ROOT"
}

need_value() { [[ $# -ge 2 && -n $2 ]] || wrong_use "$1 needs a value"; }
need_port() {
  if ! [[ $2 =~ ^[0-9]{1,5}$ ]] || ((10#$2 < 1 || 10#$2 > 65535)); then wrong_use "$1 needs a port from 1 to 65535, not '$2'"; fi
}

parse() {
  while (($#)); do
    case $1 in
      --user) need_value "$@"; ROOT=$2 IS_SYSTEM=''; shift ;;
      --download) SOURCE=download ;;
      --maven) SOURCE=maven ;;
      --archive) need_value "$@"; SOURCE=archive ARCHIVE=$2; shift ;;
      --sha512) need_value "$@"; SHA512=$2; shift ;;
      --port) need_value "$@"; need_port "$@"; PORT=$2; shift ;;
      --controller-port) need_value "$@"; need_port "$@"; CONTROLLER_PORT=$2; shift ;;
      --external-port) need_value "$@"; need_port "$@"; EXTERNAL_PORT=$2; shift ;;
      --external) need_value "$@"; EXTERNAL_HOST=$2; shift ;;
      --heap) need_value "$@"; HEAP=$2; shift ;;
      --print-unit) COMMAND=print-unit ;;
      --help | -h) usage; exit 0 ;;
      install | start | stop | status) COMMAND=$1 ;;
      *) wrong_use "unknown argument '$1'" ;;
    esac
    shift
  done
}

check_options() {
  [[ ! $HEAP || $HEAP =~ ^[0-9]+[kmgKMG]$ ]] || wrong_use "--heap needs a size such as 256m, not '$HEAP'"
  [[ ! $EXTERNAL_HOST || $EXTERNAL_HOST =~ ^[A-Za-z0-9.:-]+$ ]] || wrong_use "--external needs a host name or address, not '$EXTERNAL_HOST'"
  [[ $ROOT != *[[:space:]]* ]] || wrong_use "the folder's path must not hold spaces: Java's class path cannot"
  if [[ $SOURCE == archive && -z $SHA512 ]]; then
    [[ -f $ARCHIVE.sha512 ]] || wrong_use "--archive needs --sha512 SUM, or $ARCHIVE.sha512 beside it"
    SHA512=$(read_sha512 "$ARCHIVE.sha512")
  fi
  if [[ $IS_SYSTEM && ! $COMMAND =~ ^(install|print-unit)$ ]]; then wrong_use "'$COMMAND' needs --user DIR; a system broker: systemctl $COMMAND kafka"; fi
}

# remember: options of an earlier run hold until they are given anew.
remember() {
  local file=$ROOT/config/options
  mkdir -p "$ROOT/config"
  if [[ -f $file ]]; then
    while IFS='=' read -r name value; do [[ -n ${!name} ]] || printf -v "$name" '%s' "$value"; done <"$file"
  fi
  for name in PORT CONTROLLER_PORT EXTERNAL_PORT EXTERNAL_HOST HEAP; do printf '%s=%s\n' "$name" "${!name}"; done >"$file"
  fill_in_defaults
}

fill_in_defaults() {
  PORT=${PORT:-9092}
  HEAP=${HEAP:-256m}
  CONTROLLER_PORT=${CONTROLLER_PORT:-$((PORT + 1))}
  EXTERNAL_PORT=${EXTERNAL_PORT:-$((PORT + 2))}
}

install_user() {
  check_java
  install_jars
  configure
  say "start it with: scripts/setup_kafka.sh --user $ROOT start"
}

main() {
  parse "$@"
  check_options
  ROOT=$(realpath --canonicalize-missing "$ROOT")
  case $COMMAND in
    print-unit) fill_in_defaults; systemd_unit; return ;;
    status) show_status; return ;;
  esac
  if [[ $IS_SYSTEM ]]; then install_system_locked; return; fi
  take_lock
  case $COMMAND in
    install) remember; install_user ;;
    start) remember; start_node ;;
    stop) stop_node ;;
  esac
}

install_system_locked() {
  check_system
  take_lock
  remember
  install_system
}

# shellcheck source=scripts/kraft/fetch.sh
source "$HERE/kraft/fetch.sh"
# shellcheck source=scripts/kraft/node.sh
source "$HERE/kraft/node.sh"
# shellcheck source=scripts/kraft/system.sh
source "$HERE/kraft/system.sh"
main "$@"
