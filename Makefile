# The targets a person types. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

DATA ?= .signalbox
RELEASE := .build/release/signalbox
DEBUG := .build/debug/signalbox
SOURCES := Package.swift Shared Services Tests
PYTHON_TESTS := Tests/Integration Tests/Faults $(wildcard Tests/*/python)

# No file has a target's name.
.PHONY: $(shell sed -nE 's/^([a-z-]+):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

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
	SIGNALBOX_BIN=$(CURDIR)/$(DEBUG) scripts/test-integration.sh $(PYTHON_TESTS)

test-kafka: debug venv ## run the broker's tests against the Kafka that SIGNALBOX_KAFKA names
	@test -n "$${SIGNALBOX_KAFKA:-}" || { echo "SIGNALBOX_KAFKA=host:port names no Kafka" >&2; exit 2; }
	SIGNALBOX_BIN=$(CURDIR)/$(DEBUG) .venv/bin/python -m pytest Tests/LocalBroker/python
	swift test --skip-build --filter BusTests

faults: build debug venv ## break everything that can break, under load, and audit the books (docs/faults.md; half an hour)
	SIGNALBOX_FAULTS=full SIGNALBOX_BIN=$(CURDIR)/$(RELEASE) .venv/bin/python -m pytest Tests/Faults
	SIGNALBOX_BIN=$(CURDIR)/$(DEBUG) .venv/bin/python -m pytest Tests/Faults/test_faults_breaks.py

soak: build venv ## run for MINUTES (60) with churn, changes and restarts: nothing may grow, and the books must agree
	SIGNALBOX_BIN=$(CURDIR)/$(RELEASE) .venv/bin/python Tests/Faults/soak.py --minutes $${MINUTES:-60}

soak-broker: debug venv ## 4,000 random schedules and three minutes of kills (SIGNALBOX_SCHEDULES, SIGNALBOX_STAGE_SECONDS)
	SIGNALBOX_BIN=$(CURDIR)/$(DEBUG) SIGNALBOX_SCHEDULES=$${SIGNALBOX_SCHEDULES:-4000} \
	SIGNALBOX_STAGE_SECONDS=$${SIGNALBOX_STAGE_SECONDS:-60} \
	.venv/bin/python -m pytest -s Tests/LocalBroker/python/test_schedules.py Tests/LocalBroker/python/test_stage.py

bench: build ## measure the whole gateway and audit its books (about 20 minutes; BENCH="--quick" for three, see docs/performance.md)
	$(RELEASE) bench --json bench.json $(BENCH)

bench-broker: build venv ## measure the local broker against librdkafka's mock cluster
	.venv/bin/python Tests/Benchmarks/broker_bench.py --signalbox $(RELEASE)

bench-routing: deps ## measure routing decisions over 10, 1,000 and 100,000 routes
	swift build -c release --product routing-bench
	.build/release/routing-bench

bench-ingress: build venv ## measure what one SMPP ingress accepts from 1, 10, 1,000 and 2,000 sessions
	SIGNALBOX_BIN=$(CURDIR)/$(RELEASE) .venv/bin/python Tests/Benchmarks/ingress_bench.py

bench-http: build venv ## measure what one HTTP ingress accepts, one and 100 messages in a request, over 64 connections
	SIGNALBOX_BIN=$(CURDIR)/$(RELEASE) .venv/bin/python Tests/Benchmarks/http_bench.py

test-webhooks: build venv ## 10,000 messages with webhooks that are good, slow, failing and dead
	SIGNALBOX_BIN=$(CURDIR)/$(RELEASE) SIGNALBOX_WEBHOOKS=10000 .venv/bin/python -m pytest -s Tests/Integration/test_http.py -k endpoints

bench-smpp-codec: deps ## measure the SMPP codec against a loop written by hand in C
	swift build -c release --product codec-bench
	.build/release/codec-bench

fuzz: deps ## fuzz the SMPP codec, receipts, headers and the session machine (SIGNALBOX_FUZZ_RUNS for each)
	nice -n 10 scripts/fuzz.sh $${SIGNALBOX_FUZZ_RUNS:-2500000}

bench-billing: deps ## measure prices and bookings against a bare COPY of the same rows
	swift run -c release stage-bench billing $(MESSAGES)

bench-routelog: deps ## measure the message log against a bare COPY of the same rows
	swift run -c release stage-bench routelog $(MESSAGES)

bench-egress: build venv ## measure how near the egress comes to window x sessions / round trip
	.venv/bin/python Tests/Benchmarks/egress_bench.py --signalbox $(RELEASE)

bench-egress-http: build venv ## measure how fast a provider with an HTTP API is sent to
	.venv/bin/python Tests/Benchmarks/egress_http_bench.py --signalbox $(RELEASE)

bench-cost: build venv ## count what a message costs the machine: system calls, syncs, bytes, rows (needs root and perf)
	.venv/bin/python Tests/Benchmarks/cost_bench.py --signalbox $(RELEASE)

lint: ## check the sources' format
	swift format lint --strict --parallel --recursive $(SOURCES)

format: ## format the sources
	swift format --in-place --parallel --recursive $(SOURCES)

clean: ## remove what was built
	rm -rf .build .venv
