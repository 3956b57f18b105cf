#!/usr/bin/env bash
# Bootstraps a Debian or Ubuntu host (Raspberry Pi OS too): Python, build tools, Java 17, Maven, Poetry, and this project
# in .venv. Running it again changes nothing.
set -euo pipefail

readonly OLDEST_PYTHON=3.11
readonly OLDEST_JAVA=17

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT
readonly PACKAGES=(python3 python3-venv python3-pip python3-dev build-essential pkg-config git make curl ca-certificates pipx
  maven util-linux procps)
# python3-dev and build-essential, above, compile RPi.GPIO, which has no wheel.
readonly PI_PACKAGES=(i2c-tools gpiod rpicam-apps python3-picamera2)
readonly PROFILES='dev rpi db spark naked ai'

PROFILE=''
IS_DRY_RUN=''
WITH_POETRY=yes

usage() {
  cat <<TEXT
Usage: setup.sh [--profile NAME] [--no-poetry] [--dry-run]

  --profile NAME   which make target installs the project: $PROFILES
                   (default: rpi on a Raspberry Pi, dev elsewhere)
  --no-poetry      leave Poetry out; nothing here needs it
  --dry-run        say what would be done, change nothing
  --help           this text

Needs root for Debian packages: run it as root, or as a user who may sudo.
Exit code: 0 done, 1 failed, 2 wrong use.
TEXT
}

say() { printf '%s\n' "$*"; }
die() { printf 'setup.sh: %s\n' "$*" >&2; exit 1; }
wrong_use() { printf 'setup.sh: %s (see --help)\n' "$*" >&2; exit 2; }

# run COMMAND...: does it, or only says it.
run() {
  if [[ $IS_DRY_RUN ]]; then say "would run: $*"; else "$@"; fi
}

as_root() {
  if [[ $(id -u) == 0 ]]; then run "$@"; return; fi
  [[ $IS_DRY_RUN ]] || command -v sudo >/dev/null || die "packages need root: run this as root, or install sudo"
  run sudo "$@"
}

parse() {
  while (($#)); do
    case $1 in
      --profile)
        [[ $# -ge 2 && " $PROFILES " == *" $2 "* ]] || wrong_use "--profile needs one of: $PROFILES"
        PROFILE=$2
        shift
        ;;
      --no-poetry) WITH_POETRY='' ;;
      --dry-run) IS_DRY_RUN=yes ;;
      --help | -h) usage; exit 0 ;;
      *) wrong_use "unknown argument '$1'" ;;
    esac
    shift
  done
  PROFILE=${PROFILE:-$(default_profile)}
}

is_pi() { grep -qs 'Raspberry Pi' /proc/device-tree/model; }
default_profile() { if is_pi; then printf rpi; else printf dev; fi; }

check_system() {
  [[ -r /etc/os-release ]] || die "this is no Debian or Ubuntu: /etc/os-release is missing"
  # shellcheck source=/dev/null
  if ! (. /etc/os-release && [[ " ${ID:-} ${ID_LIKE:-} " =~ ' debian '|' ubuntu '|' raspbian ' ]]); then
    die "this script knows Debian, Ubuntu and Raspberry Pi OS; elsewhere install Python $OLDEST_PYTHON, Java $OLDEST_JAVA and Maven, then: make install-$PROFILE"
  fi
  command -v apt-get >/dev/null || die "apt-get is missing"
}

is_package_there() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }
is_package_known() { apt-cache show "$1" >/dev/null 2>&1; }

install_packages() {
  local missing=() package
  for package in "${PACKAGES[@]}"; do is_package_there "$package" || missing+=("$package"); done
  if ! java_is_new_enough; then missing+=("$(java_package)"); fi
  if is_pi || [[ $PROFILE == rpi ]]; then
    for package in "${PI_PACKAGES[@]}"; do is_package_there "$package" || missing+=("$package"); done
  fi
  if ((${#missing[@]} == 0)); then
    say "Debian packages: all there"
    return
  fi
  say "Debian packages: installing ${missing[*]}"
  as_root apt-get update -qq
  install_known "${missing[@]}"
}

# install_known PACKAGE...: names differ between releases; what this one does not have is said and left out.
install_known() {
  local known=() package
  for package in "$@"; do
    if [[ $IS_DRY_RUN ]] || is_package_known "$package"; then known+=("$package"); else say "not in this release: $package"; fi
  done
  if ((${#known[@]})); then
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${known[@]}"
  fi
}

java_is_new_enough() {
  local version
  version=$(java -version 2>&1 | sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1) || return 1
  [[ -n $version ]] && ((version >= OLDEST_JAVA))
}

# Debian 13 has no Java 17 any more: its own newer one serves as well.
java_package() {
  if is_package_known "openjdk-$OLDEST_JAVA-jre-headless"; then
    printf 'openjdk-%s-jre-headless' "$OLDEST_JAVA"
  else
    printf default-jre-headless
  fi
}

# find_python: the first interpreter that is new enough.
find_python() {
  local name
  for name in python3 python3.13 python3.12 python3.11; do
    if "$name" -c "import sys; sys.exit(sys.version_info < (${OLDEST_PYTHON/./, }))" 2>/dev/null; then
      printf '%s' "$name"
      return
    fi
  done
  return 1
}

install_poetry() {
  if [[ ! $WITH_POETRY ]]; then return; fi
  if command -v poetry >/dev/null || [[ -x $HOME/.local/bin/poetry ]]; then
    say "Poetry: there"
    return
  fi
  say "Poetry: installing it with pipx"
  run pipx install 'poetry>=2.2,<3'
  run pipx ensurepath >/dev/null
}

enable_pi_buses() {
  if ! is_pi; then return; fi
  if command -v raspi-config >/dev/null && [[ ! -e /dev/i2c-1 ]]; then as_root raspi-config nonint do_i2c 0; fi
  local group
  for group in i2c gpio video; do
    if getent group "$group" >/dev/null && ! id -nG "$(id -un)" | grep -qw "$group"; then
      as_root usermod -aG "$group" "$(id -un)"
      say "group $group: added; log in again for it to count"
    fi
  done
}

install_project() {
  local python
  if ! python=$(find_python); then
    [[ $IS_DRY_RUN ]] || die "no Python $OLDEST_PYTHON or newer: this release is too old for the project (Debian 12 and Ubuntu 24.04 have it)"
    python=python3
  fi
  say "project: make install-$PROFILE"
  run make --no-print-directory -C "$ROOT" "PYTHON=$python" "install-$PROFILE"
}

main() {
  parse "$@"
  check_system
  install_packages
  install_poetry
  enable_pi_buses
  install_project
  say "done. Try: make demo"
}

main "$@"
