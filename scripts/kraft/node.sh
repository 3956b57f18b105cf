# shellcheck shell=bash
# One broker's configuration, storage and process. Sourced by setup_kafka.sh.

# shellcheck disable=SC2153  # the options are set by setup_kafka.sh

readonly EXTERNAL_USER=plant-twin
readonly EXIT_STOPPED=1

# configure: server.properties, log4j2.properties and secrets from the options; the same options give the same files.
configure() {
  mkdir -p "$ROOT/config" "$ROOT/data" "$ROOT/logs"
  make_external_password
  if [[ -n $EXTERNAL_HOST ]]; then make_certificate; fi
  (umask 077 && server_properties >"$ROOT/config/server.properties.new")
  mv "$ROOT/config/server.properties.new" "$ROOT/config/server.properties"
  cp "$HERE/kraft/log4j2.properties" "$ROOT/config/log4j2.properties"
}

# External clients always speak TLS and log in by SCRAM; without --external their listener stays on loopback,
# and a broker of --user has none.
server_properties() {
  local protocol=PLAINTEXT bound='' advertised=''
  if [[ -n $EXTERNAL_HOST ]]; then
    protocol=SASL_SSL bound=,EXTERNAL://0.0.0.0:${EXTERNAL_PORT} advertised=,EXTERNAL://$EXTERNAL_HOST:${EXTERNAL_PORT}
  elif [[ $IS_SYSTEM ]]; then
    bound=,EXTERNAL://127.0.0.1:${EXTERNAL_PORT} advertised=,EXTERNAL://127.0.0.1:${EXTERNAL_PORT}
  fi
  cat <<TEXT
# Written by setup_kafka.sh at every run: change its options instead.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$CONTROLLER_PORT
controller.listener.names=CONTROLLER
inter.broker.listener.name=INTERNAL
listeners=INTERNAL://127.0.0.1:$PORT,CONTROLLER://127.0.0.1:$CONTROLLER_PORT$bound
advertised.listeners=INTERNAL://127.0.0.1:$PORT$advertised
listener.security.protocol.map=INTERNAL:PLAINTEXT,EXTERNAL:$protocol,CONTROLLER:PLAINTEXT
log.dirs=$ROOT/data

# One node: everything has one copy.
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# Topics come from scripts/kafka_manager.py alone; event time lives in the messages.
auto.create.topics.enable=false
log.message.timestamp.type=LogAppendTime
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=9000
broker.heartbeat.interval.ms=500
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000

# Small machines: the log cleaner's default buffer alone would take half of the heap.
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=4
TEXT
  if [[ -n $EXTERNAL_HOST ]]; then external_security; fi
}

external_security() {
  cat <<TEXT

listener.name.external.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.external.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.external.ssl.keystore.type=PKCS12
listener.name.external.ssl.keystore.location=$ROOT/config/external.p12
listener.name.external.ssl.keystore.password=$(cat "$ROOT/config/external.password")
listener.name.external.ssl.key.password=$(cat "$ROOT/config/external.password")
TEXT
}

make_external_password() {
  local file=$ROOT/config/external.password
  if [[ ! -s $file ]]; then (umask 077 && head -c 24 /dev/urandom | base64 | tr '+/' '-_' >"$file"); fi
}

# make_certificate: a self-signed one for the external name; clients get external.pem as KAFKA_SSL_CAFILE.
make_certificate() {
  local store=$ROOT/config/external.p12 kind=dns
  [[ $EXTERNAL_HOST =~ ^[0-9.]+$ || $EXTERNAL_HOST == *:* ]] && kind=ip
  if [[ -s $store && $(cat "$store.host" 2>/dev/null) == "$EXTERNAL_HOST" ]]; then return; fi
  rm -f "$store"
  "$(java_tool keytool)" -genkeypair -alias broker -keyalg RSA -keysize 3072 -validity 3650 -storetype PKCS12 \
    -keystore "$store" -storepass:file "$ROOT/config/external.password" \
    -dname "CN=$EXTERNAL_HOST" -ext "SAN=$kind:$EXTERNAL_HOST" 2>/dev/null || die "keytool could not make a certificate for $EXTERNAL_HOST"
  "$(java_tool keytool)" -exportcert -rfc -alias broker -keystore "$store" \
    -storepass:file "$ROOT/config/external.password" >"$ROOT/config/external.pem" 2>/dev/null
  chmod 600 "$store"
  echo "$EXTERNAL_HOST" >"$store.host"
}

# format_storage: once in the life of the data folder.
format_storage() {
  local arguments
  if [[ -f $ROOT/data/meta.properties ]]; then return; fi
  say "formatting the storage in $ROOT/data"
  arguments=$(mktemp)
  # An argument file keeps the password out of the process list.
  cat >"$arguments" <<TEXT
-cp "$ROOT/libs/*"
-Dlog4j2.configurationFile=$ROOT/config/log4j2.properties
-Dkafka.logs.dir=$ROOT/logs
kafka.tools.StorageTool
format --ignore-formatted -t $(new_cluster_id) -c "$ROOT/config/server.properties"
--add-scram "SCRAM-SHA-512=[name=$EXTERNAL_USER,password=$(cat "$ROOT/config/external.password")]"
TEXT
  if ! "$(java_tool java)" "@$arguments" >"$ROOT/logs/format.log" 2>&1; then
    rm -f "$arguments"
    die "formatting failed, see $ROOT/logs/format.log"
  fi
  rm -f "$arguments" "$ROOT/logs/format.log"
}

# 16 random bytes in URL-safe base64, as kafka.tools.StorageTool random-uuid prints; a leading '-' would read as an option.
new_cluster_id() {
  local id=-
  while [[ $id == -* ]]; do id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '='); done
  printf '%s' "$id"
}

# java_command: one argument a line; heap and collector suit a broker beside other services on a small machine.
java_command() {
  printf '%s\n' "$(java_tool java)" "-Xmx$HEAP" -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError \
    "-Dlog4j2.configurationFile=$ROOT/config/log4j2.properties" "-Dkafka.logs.dir=$ROOT/logs" \
    -cp "$ROOT/libs/*" kafka.Kafka "$ROOT/config/server.properties"
}

# start_node: returns when the broker answers; a second call finds it running.
start_node() {
  local pid command
  if pid=$(running_pid); then
    say "Kafka runs already (pid $pid) at 127.0.0.1:$(configured_port)"
    return
  fi
  check_java
  install_jars
  configure
  format_storage
  port_is_free "$PORT" || die "port $PORT is taken by another program: choose one with --port"
  port_is_free "$CONTROLLER_PORT" || die "port $CONTROLLER_PORT is taken by another program: choose one with --controller-port"
  "$HERE/kraft/settle.sh" "$ROOT" "$(java_tool java)" 9>&- || die "the broker was killed, and what it left cannot be settled"
  mapfile -t command < <(java_command)
  setsid "${command[@]}" >"$ROOT/logs/console.log" 2>&1 </dev/null 9>&- &
  pid=$!
  disown "$pid"
  echo "$pid" >"$ROOT/kafka.pid"
  wait_until_it_answers "$pid"
  say "Kafka $KAFKA_VERSION runs (pid $pid) at 127.0.0.1:$PORT, log in $ROOT/logs"
}

wait_until_it_answers() {
  local deadline=$((SECONDS + START_TIMEOUT_S))
  until broker_answers "$PORT"; do
    kill -0 "$1" 2>/dev/null || { rm -f "$ROOT/kafka.pid"; tail -n 5 "$ROOT/logs/console.log" "$ROOT/logs/server.log" >&2 || true; die "the broker ended while it started, see $ROOT/logs"; }
    ((SECONDS < deadline)) || die "the broker did not answer within $START_TIMEOUT_S s, see $ROOT/logs"
    sleep 0.1
  done
}

# broker_answers PORT: an ApiVersions request (key 18, version 0, correlation 1, no client id) gets its reply.
broker_answers() {
  local reply
  # shellcheck disable=SC2016  # the inner shell expands it
  reply=$(timeout 2 bash -c '
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf "\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff" >&3
    head -c 10 <&3 | od -An -tx1 | tr -d " \n"' _ "$1" 2>/dev/null) || return 1
  [[ ${reply:8} == 000000010000 ]]
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# stop_node: asks, waits, and ends the process by force only after that.
stop_node() {
  local pid deadline=$((SECONDS + STOP_TIMEOUT_S))
  if ! pid=$(running_pid); then
    rm -f "$ROOT/kafka.pid"
    say "Kafka in $ROOT is not running"
    return
  fi
  kill -TERM "$pid" 2>/dev/null || true
  while running_pid >/dev/null; do
    if ((SECONDS >= deadline)); then
      say "the broker did not stop within $STOP_TIMEOUT_S s: ending it by force"
      kill -KILL "$pid" 2>/dev/null || true
    fi
    sleep 0.1
  done
  rm -f "$ROOT/kafka.pid"
  say "Kafka stopped"
}

show_status() {
  local pid
  if ! pid=$(running_pid); then
    say "Kafka in $ROOT is not running"
    return "$EXIT_STOPPED"
  fi
  broker_answers "$(configured_port)" || { say "Kafka runs (pid $pid) but does not answer"; return "$EXIT_STOPPED"; }
  say "Kafka runs (pid $pid) at 127.0.0.1:$(configured_port)"
}

configured_port() { sed -n 's/^listeners=INTERNAL:\/\/127\.0\.0\.1:\([0-9]*\),.*/\1/p' "$ROOT/config/server.properties"; }

# running_pid: the process of the pid file, if it is this broker and no zombie or stranger with its number.
running_pid() {
  local pid
  pid=$(cat "$ROOT/kafka.pid" 2>/dev/null) || return 1
  [[ -n $pid && $(ps -ww -o stat=,args= -p "$pid" 2>/dev/null) == [!Z]*kafka.Kafka\ "$ROOT/config/server.properties"* ]] || return 1
  printf '%s' "$pid"
}
