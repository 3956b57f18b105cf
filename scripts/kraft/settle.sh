#!/usr/bin/env bash
# settle.sh ROOT JAVA: makes a broker that did not end by itself safe to start; does nothing after a clean end.
#
# A killed broker that starts again finds itself the leader of its partitions for a moment, from before its end, and is
# then fenced until it has registered anew. A transaction that was being committed falls between: Kafka 4.3.1 takes
# partitions without a leader for deleted ones ("likely deleted already and hence can be skipped"), and calls the
# transaction complete without its marks. Its outputs or its offsets are lost then, so readings would come twice or not
# at all. Here the quorum's controller runs alone until it has fenced the broker, which then starts as no leader's heir.
set -euo pipefail

readonly STARTS_WITHIN_S=60
readonly FENCES_WITHIN_S=3

root=$1
java=$2

if [[ ! -d $root/data/__cluster_metadata-0 || -e $root/data/.kafka_cleanshutdown ]]; then exit 0; fi

config=$root/logs/settle.properties
log=$root/logs/settle/server.log
mkdir -p "$root/logs/settle"
rm -f "$log"
sed -e 's/^process\.roles=.*/process.roles=controller/' \
  -e 's/^listeners=.*\(CONTROLLER:\/\/[^,]*\).*/listeners=\1/' \
  -e 's/^broker\.session\.timeout\.ms=.*/broker.session.timeout.ms=600/' \
  -e '/^advertised\.listeners=/d' -e '/^inter\.broker\.listener\.name=/d' -e '/^listener\.name\./d' \
  "$root/config/server.properties" >"$config"

"$java" -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "-Dlog4j2.configurationFile=$root/config/log4j2.properties" \
  "-Dkafka.logs.dir=$root/logs/settle" -cp "$root/libs/*" kafka.Kafka "$config" \
  >"$root/logs/settle/console.log" 2>&1 </dev/null &
pid=$!
trap 'kill -KILL "$pid" 2>/dev/null || true' EXIT

# said WITHIN_S PATTERN: whether the controller writes such a line in time, while it lives.
said() {
  local deadline=$((SECONDS + $1))
  until grep -qE "$2" "$log" 2>/dev/null; do
    if ((SECONDS >= deadline)) || ! kill -0 "$pid" 2>/dev/null; then return 1; fi
    sleep 0.05
  done
}

if ! said "$STARTS_WITHIN_S" 'Completed activation of initial controller|Becoming the active controller|The active controller is now'; then
  echo "settle.sh: the controller alone does not start, see $log" >&2
  exit 1
fi
said "$FENCES_WITHIN_S" 'Fencing broker 1 ' || true  # it was fenced already
kill -TERM "$pid"
wait "$pid" || true
