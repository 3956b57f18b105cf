# shellcheck shell=bash
# The broker as a systemd service of its own user. Sourced by setup_kafka.sh.
# shellcheck disable=SC2153  # the options are set by setup_kafka.sh

readonly UNIT=/etc/systemd/system/kafka.service

check_system() {
  [[ $(id -u) == 0 ]] || die "installing to $ROOT needs root: say sudo, or --user DIR for an unprivileged broker"
  [[ -d /run/systemd/system ]] || die "systemd does not run here: say --user DIR for a broker without it"
}

install_system() {
  local before
  before=$(installed_state)
  check_java
  id "$KAFKA_USER" >/dev/null 2>&1 || useradd --system --home-dir "$ROOT" --shell /usr/sbin/nologin "$KAFKA_USER"
  mkdir -p "$ROOT"
  install_jars
  configure
  format_storage
  install -m 755 "$HERE/kraft/settle.sh" "$ROOT/settle.sh"
  own_files
  systemd_unit >"$UNIT"
  systemctl daemon-reload
  systemctl enable --quiet kafka
  if [[ $before != "$(installed_state)" ]]; then systemctl restart kafka; else systemctl start kafka; fi
  wait_for_service
  say "Kafka $KAFKA_VERSION runs as systemd service 'kafka' at 127.0.0.1:$PORT"
  external_notice
}

# What a running broker has to be restarted for when it changes.
installed_state() { cat "$UNIT" "$ROOT/config/server.properties" "$ROOT/settle.sh" "$ROOT/VERSION" 2>/dev/null | sha256sum; }

# Programs belong to root, only data and logs to the broker; secrets are readable by it alone.
own_files() {
  chown -R root:root "$ROOT"
  chown -R "$KAFKA_USER:$KAFKA_USER" "$ROOT/data" "$ROOT/logs"
  chown root:"$KAFKA_USER" "$ROOT/config"/*
  chmod 640 "$ROOT/config/server.properties" "$ROOT/config"/external.p12* "$ROOT/config/external.password" 2>/dev/null || true
}

wait_for_service() {
  local deadline=$((SECONDS + START_TIMEOUT_S))
  until broker_answers "$PORT"; do
    ((SECONDS < deadline)) || die "the broker did not answer within $START_TIMEOUT_S s: journalctl -u kafka"
    sleep 0.2
  done
}

systemd_unit() {
  local command
  mapfile -t command < <(java_command)
  cat <<TEXT
[Unit]
Description=Apache Kafka broker of Plant Twin
Documentation=https://kafka.apache.org/documentation/
After=network-online.target
Wants=network-online.target

[Service]
User=$KAFKA_USER
Group=$KAFKA_USER
ExecStartPre=$ROOT/settle.sh $ROOT ${command[0]}
ExecStart=${command[*]}
# A JVM that ends on SIGTERM says 143.
SuccessExitStatus=143
Restart=on-failure
RestartSec=2
TimeoutStopSec=60
LimitNOFILE=100000
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ReadWritePaths=$ROOT/data $ROOT/logs

[Install]
WantedBy=multi-user.target
TEXT
}

external_notice() {
  [[ -n $EXTERNAL_HOST ]] || return 0
  cat <<TEXT
External clients reach it at $EXTERNAL_HOST:${EXTERNAL_PORT} by TLS and SCRAM login. They need:
  KAFKA_URL=$EXTERNAL_HOST:${EXTERNAL_PORT}
  KAFKA_SECURITY_PROTOCOL=SASL_SSL
  KAFKA_SASL_MECHANISM=SCRAM-SHA-512
  KAFKA_SASL_USERNAME=$EXTERNAL_USER
  KAFKA_SASL_PASSWORD  (from $ROOT/config/external.password)
  KAFKA_SSL_CAFILE     (a copy of $ROOT/config/external.pem)
TEXT
}
