# shellcheck shell=bash
# Where the jars of Apache Kafka come from, each way ending in verified files. Sourced by setup_kafka.sh.

archive_name() { printf 'kafka_%s-%s.tgz' "$SCALA_VERSION" "$KAFKA_VERSION"; }

# install_jars: put verified jars into $ROOT/libs, unless they are there already.
install_jars() {
  if jars_are_good "$ROOT"; then
    say "Kafka $KAFKA_VERSION is installed in $ROOT"
    return
  fi
  [[ -d $ROOT/libs ]] && say "the jars in $ROOT/libs are incomplete or changed: installing them again"
  case $(choose_source) in
    archive) install_from_archive "$ARCHIVE" "$SHA512" ;;
    download) download_archive && install_from_archive "$CACHE_DIR/$(archive_name)" "$(read_sha512 "$CACHE_DIR/$(archive_name).sha512")" ;;
    maven) install_from_maven ;;
    *) die "$(no_source_text)" ;;
  esac
  say "Kafka $KAFKA_VERSION installed in $ROOT"
}

# jars_are_good DIR: every jar that was installed is there, byte for byte, in the wanted version.
jars_are_good() {
  [[ -f $1/libs.sha256 && $(cat "$1/VERSION" 2>/dev/null) == "$KAFKA_VERSION" ]] &&
    (cd "$1/libs" && sha256sum --check --strict --status ../libs.sha256) 2>/dev/null
}

# choose_source: the way that was asked for; else what is at hand, the official archive first.
choose_source() {
  if [[ -n $SOURCE ]]; then echo "$SOURCE"
  elif cached_jars_are_good; then tell "using the verified jars in $CACHE_DIR/libs"; echo maven
  elif official_archive_answers; then tell "using the official archive at $DOWNLOAD_URL"; echo download
  elif command -v mvn >/dev/null; then tell "the official archive at $DOWNLOAD_URL does not answer: using Maven"; echo maven
  else echo none
  fi
}

no_source_text() {
  cat <<TEXT
Kafka $KAFKA_VERSION cannot be had: $DOWNLOAD_URL does not answer and Maven is not installed. Either
  - connect this machine to the network, or
  - install Maven (sudo apt-get install maven), or
  - fetch $(archive_name) elsewhere and say --archive FILE --sha512 SUM
TEXT
}

official_archive_answers() {
  curl --silent --fail --location --head --max-time 8 --output /dev/null "$DOWNLOAD_URL/$(archive_name).sha512"
}

download_archive() {
  local file
  file=$CACHE_DIR/$(archive_name)
  require curl
  mkdir -p "$CACHE_DIR"
  fetch "$DOWNLOAD_URL/$(archive_name).sha512" "$file.sha512"
  if [[ -f $file ]] && sha512_matches "$file" "$(read_sha512 "$file.sha512")"; then return; fi
  say "fetching $(archive_name) (about 130 MB)"
  fetch "$DOWNLOAD_URL/$(archive_name)" "$file"
}

# fetch URL FILE: the file appears whole or not at all.
fetch() {
  curl --silent --show-error --fail --location --retry 3 --connect-timeout 15 --output "$2.part" "$1" ||
    die "could not fetch $1"
  mv "$2.part" "$2"
}

# read_sha512 FILE: the sum in lower case, from either "SUM  name" or Apache's "name: AB12 CD34 ..." over several lines.
read_sha512() {
  tr -d '[:space:]' <"$1" | sed 's/^[^:]*\.tgz://' | tr 'A-F' 'a-f' | grep -oE '^[0-9a-f]{128}' || true
}

sha512_matches() { [[ $(sha512sum "$1" | cut -d' ' -f1) == "$2" ]]; }

# install_from_archive FILE SHA512: unpacks only after the sum was found right.
install_from_archive() {
  local file=$1 sum=${2,,} unpacked
  [[ -f $file ]] || die "no such archive: $file"
  [[ $sum =~ ^[0-9a-f]{128}$ ]] || die "no usable SHA-512 for $file: say --sha512 SUM"
  sha512_matches "$file" "$sum" || die "SHA-512 of $file is not $sum: the file is damaged or not the right one"
  unpacked=$(mktemp -d "$ROOT/.unpack.XXXXXX")
  tar -xzf "$file" -C "$unpacked" --strip-components=1 || die "$file is not a readable tar.gz archive"
  compgen -G "$unpacked/libs/kafka_*-$KAFKA_VERSION.jar" >/dev/null ||
    die "$file does not hold Kafka $KAFKA_VERSION"
  accept_jars "$unpacked/libs"
  [[ -d $unpacked/bin ]] && replace_folder "$unpacked/bin" "$ROOT/bin"
  rm -rf "$unpacked"
}

cached_jars_are_good() {
  [[ -d $CACHE_DIR/libs ]] && (cd "$CACHE_DIR/libs" && sha256sum --check --strict --status "$HERE/kraft/jars.sha256") 2>/dev/null
}

# install_from_maven: Maven's strict mode verifies each download, the list in the repository verifies the outcome.
install_from_maven() {
  local copy
  if ! cached_jars_are_good; then
    require mvn "sudo apt-get install maven"
    say "fetching the jars of Kafka $KAFKA_VERSION with Maven (about 55 MB)"
    mkdir -p "$CACHE_DIR/libs"
    mvn --quiet --batch-mode -Dstyle.color=never --strict-checksums --file "$HERE/kraft/pom.xml" dependency:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory="$CACHE_DIR/libs" >&2 || die "Maven could not fetch Kafka $KAFKA_VERSION"
    (cd "$CACHE_DIR/libs" && sha256sum --check --strict --quiet "$HERE/kraft/jars.sha256" >&2) ||
      die "a jar fetched by Maven is not the one that scripts/kraft/jars.sha256 names"
  fi
  copy=$(mktemp -d "$ROOT/.unpack.XXXXXX")
  while read -r _ jar; do cp "$CACHE_DIR/libs/$jar" "$copy/"; done <"$HERE/kraft/jars.sha256"
  accept_jars "$copy"
}

# accept_jars DIR: the folder becomes $ROOT/libs; its sums are kept, so that a second run finds damage.
accept_jars() {
  chmod 755 "$1"
  (cd "$1" && sha256sum -- *.jar) >"$ROOT/libs.sha256.new"
  replace_folder "$1" "$ROOT/libs"
  mv "$ROOT/libs.sha256.new" "$ROOT/libs.sha256"
  echo "$KAFKA_VERSION" >"$ROOT/VERSION"
}

replace_folder() { rm -rf "$2" && mv "$1" "$2"; }
