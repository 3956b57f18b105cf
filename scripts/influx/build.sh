# shellcheck shell=bash
# influxd built from its own Go module, checked against go.sum. Sourced by setup_influxdb.sh.

# build_influxd: $CACHE_DIR/bin/influxd, unless it is there already.
build_influxd() {
  if built_is_good; then say "influxd $INFLUXDB_VERSION is in $CACHE_DIR/bin"; return; fi
  check_builders
  take_lock "$CACHE_DIR"
  if built_is_good; then return; fi
  say "building influxd $INFLUXDB_VERSION in $CACHE_DIR (about six minutes on two cores)"
  local work=$CACHE_DIR/build
  mkdir -p "$work/bin"
  cp "$HERE/influx/go.mod" "$HERE/influx/go.sum" "$HERE/influx/tools.go" "$work/"
  write_rustc_wrapper "$work/rustc-wrap"
  (cd "$work" && compile) || die "influxd could not be built: see the lines above"
  install -D -m 755 "$work/bin/influxd" "$CACHE_DIR/bin/influxd.new"
  mv "$CACHE_DIR/bin/influxd.new" "$CACHE_DIR/bin/influxd"
  rm -rf "$work"
  built_is_good || die "$CACHE_DIR/bin/influxd does not start"
  say "influxd $INFLUXDB_VERSION built: $CACHE_DIR/bin/influxd"
}

# built_is_good: the program is there, runs here and tells the wanted version.
built_is_good() { [[ -x $CACHE_DIR/bin/influxd && $("$CACHE_DIR/bin/influxd" version 2>/dev/null) == *"v$INFLUXDB_VERSION "* ]]; }

check_builders() {
  local go_version
  require go "Go $MIN_GO or newer, for instance sudo apt-get install -t bookworm-backports golang-go"
  go_version=$(go env GOVERSION)
  newer_or_same "${go_version#go}" "$MIN_GO" || die "Go is ${go_version#go}: $MIN_GO or newer is needed (Debian has newer ones in its backports)"
  require cargo "Rust $MIN_RUST or newer, for instance sudo apt-get install -t bookworm-backports cargo rustc"
  newer_or_same "$(cd / && rustc --version | cut -d' ' -f2)" "$MIN_RUST" || die "Rust is older than $MIN_RUST (Debian has newer ones in its backports)"
  require gcc
  require pkg-config
  require make
}

# newer_or_same VERSION WANTED
newer_or_same() { [[ $(printf '%s\n' "$2" "$1" | sort --version-sort | head -n 1) == "$2" ]]; }

# The query engine denies warnings that newer compilers add, and RUSTFLAGS does not reach its build script.
write_rustc_wrapper() {
  # shellcheck disable=SC2016  # the wrapper's own variables
  printf '#!/bin/sh\nr=$1; shift\nexec "$r" "$@" --cap-lints warn\n' >"$1"
  chmod 755 "$1"
}

# compile: in a folder with go.mod, go.sum and tools.go. Modules that differ from go.sum are refused by Go itself.
compile() {
  # A toolchain file beside the engine pins an old Rust that rustup would fetch: the machine's own wins.
  if command -v rustup >/dev/null; then
    RUSTUP_TOOLCHAIN=${RUSTUP_TOOLCHAIN:-$(cd / && rustup show active-toolchain | cut -d' ' -f1)}
    export RUSTUP_TOOLCHAIN
  fi
  export GOFLAGS='-mod=readonly -buildvcs=false' GOWORK=off CGO_ENABLED=1
  GOBIN=$PWD/bin go install github.com/influxdata/pkg-config &&
    PKG_CONFIG=$PWD/bin/pkg-config RUSTC_WRAPPER=$PWD/rustc-wrap \
      go build -o bin/influxd -tags sqlite_foreign_keys,sqlite_json \
      -ldflags "-s -w -X main.version=v$INFLUXDB_VERSION" github.com/influxdata/influxdb/v2/cmd/influxd
}
