# Every target is complete on a fresh machine that has Python 3.11+ and make.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
OUT    ?= demo-out

# Whatever of these changes, the project is installed anew.
INSTALLED_FROM := pyproject.toml constraints.txt hatch_build.py $(wildcard mllog/delivery/loops/*.p[xy][xi])

.DEFAULT_GOAL := help
.PHONY: help demo demo-dashboards demo-elastic test lint audit bench bench-detection bench-elasticsearch bench-fleet docs clean

help:  ## say what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(BIN)/python: | compiler
	$(PYTHON) -m venv $(VENV)

.PHONY: compiler
compiler:  # compiles the logger's loops; without one they are Python's, which cost more CPU
	@$(PYTHON) -c 'import os, shutil, sysconfig; raise SystemExit(not (shutil.which("cc") and os.path.exists(sysconfig.get_path("include") + "/Python.h")))' || \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq gcc libc6-dev python3-dev >/dev/null; } || \
	echo "no C compiler found: events will cost more CPU, and everything works without one"

$(VENV)/.demo: $(INSTALLED_FROM) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[all]' --constraint constraints.txt
	@touch $@

$(VENV)/.test: $(INSTALLED_FROM) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[test]' --constraint constraints.txt
	@touch $@ $(VENV)/.demo $(VENV)/.bench

$(VENV)/.bench: $(INSTALLED_FROM) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[bench]' --constraint constraints.txt
	@touch $@

demo: $(VENV)/.demo  ## real flights through a real model, faults planted, incidents found, report written
	$(BIN)/mllog demo --out $(OUT)

demo-dashboards: $(VENV)/.demo  ## the dashboards of Kibana as pages, over what the demo left
	$(BIN)/kibana-objects preview --store $(OUT)/events --from 2013-02-10 --to 2013-04-05 --out $(OUT)/dashboards

demo-elastic: $(VENV)/.test maven  ## the same on a real Elasticsearch node, which is fetched and started for it
	PYTHONPATH=tests $(BIN)/python -m support.with_node $(BIN)/mllog demo --out $(OUT)-elastic --store '{place}'

# Three parts side by side, about as long as each other: what needs nodes and what goes the logger's whole road wait a
# lot, what judges computes a lot. Whatever isn't named here is in the third part.
NODES := tests/elasticsearch tests/conformance tests/logstash tests/security tests/kibana tests/unit/kibana_objects
ROAD := tests/delivery tests/fuzz tests/deploy tests/end_to_end

# Hundreds of processes are started, each of which would compile what it imports again where bytecode isn't kept.
test test-nodes test-road test-judging: export PYTHONDONTWRITEBYTECODE :=

test: $(VENV)/.test chromium maven deploying  ## the whole suite
	@$(MAKE) --no-print-directory --jobs=3 --keep-going test-nodes test-road test-judging

.PHONY: test-nodes test-road test-judging
test-nodes: $(VENV)/.test
	$(BIN)/python -m pytest -o cache_dir=.pytest_cache/nodes $(NODES)

test-road: $(VENV)/.test
	$(BIN)/python -m pytest -o cache_dir=.pytest_cache/road $(ROAD)

test-judging: $(VENV)/.test
	$(BIN)/python -m pytest -o cache_dir=.pytest_cache/judging $(addprefix --ignore=,$(NODES) $(ROAD))

lint: $(VENV)/.test  ## ruff, mypy --strict, the arrows between the packages
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

AUDIT := $(VENV)/audit

audit:  ## ask PyPI for known vulnerabilities of everything that constraints.txt pins
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet 'pip-audit==2.10.1'
	$(AUDIT)/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict

.PHONY: chromium
chromium:  # the report is looked at in a real browser; installing it needs root, using it doesn't
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } || \
	echo "no chromium found: the tests in tests/browser will fail until it is installed"

.PHONY: maven
maven:  # fetches the Elasticsearch node of the tests, unless MLLOG_TEST_ELASTICSEARCH names one, and JRuby; needs a JDK 21+ beside it
	@[ -n "$$MLLOG_TEST_ELASTICSEARCH" ] || command -v mvn >/dev/null || \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq maven >/dev/null && \
	  { apt-get install -y -qq openjdk-21-jdk-headless >/dev/null 2>&1 || apt-get install -y -qq openjdk-25-jdk-headless >/dev/null 2>&1 || true; }; } || \
	echo "no Maven found: the tests that need Elasticsearch will fail until it is installed"

.PHONY: deploying
deploying:  # reads docker-compose.yml and the units of systemd as those will that run them, and makes certificates
	@command -v docker-compose >/dev/null && command -v systemd-analyze >/dev/null && command -v openssl >/dev/null && command -v curl >/dev/null || \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
	  apt-get install -y -qq --no-install-recommends docker-compose systemd openssl curl >/dev/null; } || \
	echo "no docker-compose, systemd-analyze, openssl or curl found: tests in tests/deploy will fail until they are installed"

bench: $(VENV)/.bench  ## what one logged prediction costs, beside other loggers
	$(BIN)/python -m benchmarks.logger

bench-detection: $(VENV)/.bench  ## what is found and how often nothing is called a fault, beside other monitors (--quick)
	$(BIN)/python -m benchmarks.detection --quick

bench-elasticsearch: $(VENV)/.bench maven  ## what watching on Elasticsearch costs, beside DuckDB, scans and exports (--quick)
	$(BIN)/python -m benchmarks.elasticsearch --quick

bench-fleet: $(VENV)/.bench maven  ## one pass of the scheduler over a fleet of models on one node
	$(BIN)/python -m benchmarks.fleet --models 50

docs: $(VENV)/.demo  ## write the pages that are derived from code
	$(BIN)/python docs/generate.py

clean:  ## remove what was made
	rm -rf $(VENV) $(OUT) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
