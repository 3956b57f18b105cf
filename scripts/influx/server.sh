# shellcheck shell=bash
# One influxd of your own in a folder: start, first set-up, stop. Sourced by setup_influxdb.sh.

# shellcheck disable=SC2153  # the options are set by setup_influxdb.sh

start_server() {
  local program
  program=$(find_influxd) || die "influxd is not installed: run this script without --start first, or with --from-source"
  require curl
  mkdir -p "$ROOT"
  chmod 700 "$ROOT"
  take_lock "$ROOT"
  if is_running; then
    say "influxd runs already at $(server_url)"
  else
    require_free_port
    INFLUXD_LOG_LEVEL=${INFLUXD_LOG_LEVEL:-warn} setsid nohup "$program" --bolt-path "$ROOT/influxd.bolt" --engine-path "$ROOT/engine" \
      --sqlite-path "$ROOT/influxd.sqlite" --http-bind-address "127.0.0.1:$PORT" --reporting-disabled >>"$ROOT/influxd.log" 2>&1 9>&- &
    echo $! >"$ROOT/influxd.pid"
    echo "$PORT" >"$ROOT/influxd.port"
    wait_until_ready
  fi
  first_setup
}

# first_setup: organisation, bucket and token at the first start; the password is kept beside, for the pages of InfluxDB.
first_setup() {
  local answer token password
  if [[ -s $ROOT/influx.env ]]; then say "settings for .env: $ROOT/influx.env"; return; fi
  if ! curl --silent --fail "$(server_url)/api/v2/setup" | grep -q '"allowed": *true'; then
    die "this server was set up before, but $ROOT/influx.env is gone: make a token in its pages at $(server_url)"
  fi
  token=$(random_text)
  password=$(random_text)
  # The secrets go by standard input: an argument could be read by every user of the machine.
  answer=$(printf '{"username":"plant-twin","password":"%s","token":"%s","org":"%s","bucket":"%s"}' "$password" "$token" "$ORG" "$BUCKET" |
    curl --silent --show-error --fail --data @- "$(server_url)/api/v2/setup") || die "the set-up was refused: $answer"
  (umask 077 && printf '%s\n' "$password" >"$ROOT/password" &&
    printf 'INFLUX_URL=%s\nINFLUX_TOKEN=%s\nINFLUX_ORG=%s\nINFLUX_BUCKET=%s\n' "$(server_url)" "$token" "$ORG" "$BUCKET" >"$ROOT/influx.env.new")
  mv "$ROOT/influx.env.new" "$ROOT/influx.env"
  say "set up: organisation $ORG, bucket $BUCKET (kept for ever; the product thins it itself)"
  say "settings for .env, token included: $ROOT/influx.env"
}

random_text() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }

server_url() { printf 'http://127.0.0.1:%s' "$(cat "$ROOT/influxd.port" 2>/dev/null || echo "$PORT")"; }

is_running() { [[ -f $ROOT/influxd.pid ]] && is_ours "$(cat "$ROOT/influxd.pid")"; }

# is_ours PID: the process is an influxd on this very folder; a number may have been given to another program since.
is_ours() { tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF -- "--bolt-path $ROOT/influxd.bolt"; }

require_free_port() {
  if (exec 8<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; then die "port $PORT is taken: say --port N"; fi
}

wait_until_ready() {
  local ends=$((SECONDS + START_TIMEOUT_S))
  until curl --silent --fail --output /dev/null "$(server_url)/health"; do
    is_running || die "influxd ended at once: see $ROOT/influxd.log"
    ((SECONDS < ends)) || die "influxd does not answer after $START_TIMEOUT_S s: see $ROOT/influxd.log"
    sleep 0.2
  done
  say "influxd answers at $(server_url)"
}

stop_server() {
  if ! is_running; then say "influxd does not run in $ROOT"; return; fi
  local pid ends=$((SECONDS + STOP_TIMEOUT_S))
  pid=$(cat "$ROOT/influxd.pid")
  kill "$pid"
  while is_ours "$pid"; do
    ((SECONDS < ends)) || die "influxd (process $pid) does not end within $STOP_TIMEOUT_S s"
    sleep 0.1
  done
  rm -f "$ROOT/influxd.pid"
  say "influxd stopped"
}

show_status() {
  if is_running; then say "influxd runs at $(server_url)"; else say "influxd does not run in $ROOT"; exit 1; fi
}
