# shellcheck shell=bash
# InfluxDB 2 as a Debian package of its vendor. Sourced by setup_influxdb.sh.

readonly KEYRING=/etc/apt/keyrings/influxdata-archive.gpg
readonly APT_LIST=/etc/apt/sources.list.d/influxdata.list

# install_package: the vendor's repository with its key, the fingerprint checked; then the package.
install_package() {
  if command -v influxd >/dev/null; then say "influxd is installed: $(influxd version 2>/dev/null | head -n 1)"; return; fi
  ((EUID == 0)) || die "the package needs root: sudo scripts/setup_influxdb.sh; or --from-source builds it for you alone"
  require apt-get "this way is for Debian and Ubuntu; elsewhere use --from-source"
  require curl
  require gpg "sudo apt-get install gnupg"
  add_repository
  apt-get update -qq || die "apt-get update failed"
  # What is configured while it is installed would be started: nothing starts unless it is asked for.
  with_no_starts env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "influxdb2=$INFLUXDB_VERSION*" ||
    die "influxdb2 $INFLUXDB_VERSION could not be installed from $APT_URL"
  say "influxd $INFLUXDB_VERSION installed; start it with systemctl enable --now influxdb, or of your own with --dir DIR --start"
}

add_repository() {
  local key
  key=$(mktemp)
  curl --silent --show-error --fail --location --retry 3 --output "$key" "$KEY_URL" || die "could not fetch the key from $KEY_URL"
  has_fingerprint "$key" || die "the key from $KEY_URL is not the one with the fingerprint $KEY_FINGERPRINT: nothing was installed"
  install -d -m 755 "$(dirname "$KEYRING")"
  gpg --dearmor <"$key" >"$KEYRING.new"
  chmod 644 "$KEYRING.new"
  mv "$KEYRING.new" "$KEYRING"
  rm -f "$key"
  printf 'deb [signed-by=%s] %s stable main\n' "$KEYRING" "$APT_URL" >"$APT_LIST"
}

# has_fingerprint FILE: it holds one key, and that is the vendor's.
has_fingerprint() {
  local shown
  shown=$(gpg --show-keys --with-fingerprint --with-colons "$1" 2>/dev/null) || return 1
  [[ $(grep -c '^pub:' <<<"$shown") == 1 ]] && grep -q "^fpr:*$KEY_FINGERPRINT:\$" <<<"$shown"
}

# with_no_starts COMMAND...: Debian's own switch against services that start on installation.
with_no_starts() {
  local policy=/usr/sbin/policy-rc.d outcome=0
  if [[ -e $policy ]]; then "$@"; return; fi
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  "$@" >/dev/null || outcome=$?
  rm -f "$policy"
  return "$outcome"
}
