#!/usr/bin/env bash
# Builds Telegraf from its Go module, with only the plugins that `make bench-ingest` measures; prints where it is.
set -euo pipefail

readonly TELEGRAF_VERSION=1.37.2
readonly TAGS=custom,inputs.kafka_consumer,outputs.influxdb_v2,parsers.json

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly HERE
CACHE_DIR=${TELEGRAF_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/plant-twin/telegraf-$TELEGRAF_VERSION}
readonly PROGRAM=$CACHE_DIR/telegraf

case ${1:-} in
  '') ;;
  --help) printf 'Usage: setup_telegraf.sh   builds Telegraf %s into %s (Go is needed); again: nothing is done\n' "$TELEGRAF_VERSION" "$CACHE_DIR"; exit 0 ;;
  *) printf 'setup_telegraf.sh: %s (see --help)\n' "$1" >&2; exit 2 ;;
esac

if ! [[ -x $PROGRAM && $(cat "$CACHE_DIR/tags" 2>/dev/null) == "$TAGS" ]]; then
  command -v go >/dev/null || { printf 'setup_telegraf.sh: Go is not installed\n' >&2; exit 1; }
  mkdir -p "$CACHE_DIR"
  module=$(mktemp -d)
  trap 'rm -rf "$module"' EXIT
  cp "$HERE/telegraf/go.mod" "$HERE/telegraf/go.sum" "$module/"
  (cd "$module" && nice go build -trimpath -ldflags "-s -w -X github.com/influxdata/telegraf/internal.Version=$TELEGRAF_VERSION" \
    -tags "$TAGS" -o "$PROGRAM.new" github.com/influxdata/telegraf/cmd/telegraf) >&2
  mv "$PROGRAM.new" "$PROGRAM"
  printf '%s' "$TAGS" >"$CACHE_DIR/tags"
fi
printf '%s\n' "$PROGRAM"
