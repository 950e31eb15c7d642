# The targets a person types. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

DATA ?= .signalbox
RELEASE := .build/release/signalbox
DEBUG := .build/debug/signalbox
SOURCES := Package.swift Shared Services Tests
PYTHON_TESTS := Tests/Integration $(wildcard Tests/*/python)

.PHONY: help deps venv build debug run test test-swift test-integration test-kafka soak bench-broker bench-egress lint format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

deps: ## install what is missing (Debian 12)
	@scripts/deps.sh

venv: deps
	@scripts/venv.sh

build: deps ## build .build/release/signalbox
	swift build -c release --product signalbox

run: build ## build, bring the demo up, send messages through it, keep running (Ctrl-C stops)
	@scripts/run-demo.sh $(RELEASE) $(DATA)

debug: deps
	swift build --build-tests

test: deps venv lint debug test-swift test-integration ## run everything

test-swift: debug
	swift test --skip-build

test-integration: debug venv ## run the gateway's tests against a debug build
	SIGNALBOX_BIN=$(CURDIR)/$(DEBUG) .venv/bin/python -m pytest $(PYTHON_TESTS)

test-kafka: debug venv ## run the broker's tests against the Kafka that SIGNALBOX_KAFKA names
	@test -n "$${SIGNALBOX_KAFKA:-}" || { echo "SIGNALBOX_KAFKA=host:port names no Kafka" >&2; exit 2; }
	SIGNALBOX_BIN=$(CURDIR)/$(DEBUG) .venv/bin/python -m pytest Tests/LocalBroker/python
	swift test --skip-build --filter BusTests

soak: debug venv ## 4,000 random schedules and three minutes of kills (SIGNALBOX_SCHEDULES, SIGNALBOX_STAGE_SECONDS)
	SIGNALBOX_BIN=$(CURDIR)/$(DEBUG) SIGNALBOX_SCHEDULES=$${SIGNALBOX_SCHEDULES:-4000} \
	SIGNALBOX_STAGE_SECONDS=$${SIGNALBOX_STAGE_SECONDS:-60} \
	.venv/bin/python -m pytest -s Tests/LocalBroker/python/test_schedules.py Tests/LocalBroker/python/test_stage.py

bench-broker: build venv ## measure the local broker against librdkafka's mock cluster
	.venv/bin/python Tests/Benchmarks/broker_bench.py --signalbox $(RELEASE)

bench-egress: build venv ## measure how near the egress comes to window x sessions / round trip
	.venv/bin/python Tests/Benchmarks/egress_bench.py --signalbox $(RELEASE)

lint: ## check the sources' format
	swift format lint --strict --parallel --recursive $(SOURCES)

format: ## format the sources
	swift format --in-place --parallel --recursive $(SOURCES)

clean: ## remove what was built
	rm -rf .build .venv
