# Everything that is done with this checkout by hand or by CI. `make` alone lists it.
#
# Targets make the environment (.venv, from the locks in requirements/) themselves; nothing has to be installed first
# but Python 3.12 or later. PYTHON=/path/to/python3.13 names one.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# One order of steps, whatever -j says: the closing lines are pytest's.
.NOTPARALLEL:

BIN := .venv/bin
RUNTIME := scripts/bootstrap.sh runtime
DEV := scripts/bootstrap.sh dev
# pytest processes: two for each core, since integration tests mostly wait for servers.
WORKERS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
# These start pods and processes of their own, and wait for what those do: more at once would only take longer.
E2E_WORKERS ?= 2
# A cluster that lasts as long as the command; making what it needs counts for no test's time.
WITH_CLUSTER := $(BIN)/python -m tests.cluster run --
# More arguments for the command behind a target: make up ARGS=--help, make unit ARGS='-k states -x'
ARGS ?=

.PHONY: help up setup test check lint types layers unit integration e2e cluster bench kind kind-down crd chart asyncapi lock \
	fmt clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One process from the first line of bootstrap.sh to the last of `jelmore up`, so that make has exactly one child: it
# passes SIGTERM on to it and waits; Ctrl-C reaches both. Make then reports the signal as its own exit code (143, 130),
# which no makefile can change; `.venv/bin/jelmore up` itself exits with 0.
up: ## Start Jelmore on this machine (servers, API, supervisor); Ctrl-C stops it
	@exec $(RUNTIME) -- $(BIN)/jelmore up $(ARGS)

setup: ## Make the environment for development (.venv)
	@$(DEV)

test: lint types layers ## Everything that CI runs: lint, types, import layers, all tests
	@$(DEV) -- $(BIN)/pytest -n $(WORKERS) tests/unit tests/integration $(ARGS)
	@$(WITH_CLUSTER) $(BIN)/pytest -n $(E2E_WORKERS) tests/e2e $(ARGS)

check: lint types layers unit ## The fast part of it, in under a minute

lint: ## ruff: rules and format
	@$(DEV) -- $(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: ## mypy, strict
	@$(DEV) -- $(BIN)/mypy

layers: ## import-linter: which part may import which
	@$(DEV) -- $(BIN)/lint-imports

unit: ## Unit tests
	@$(DEV) -- $(BIN)/pytest -n $(WORKERS) tests/unit $(ARGS)

integration: ## Integration tests: real servers and the real CLI
	@$(DEV) -- $(BIN)/pytest -n $(WORKERS) tests/integration $(ARGS)

e2e: ## End-to-end tests on a real Kubernetes, which is found or made (tests/cluster/README.md)
	@$(DEV) -- $(WITH_CLUSTER) $(BIN)/pytest -n $(E2E_WORKERS) tests/e2e $(ARGS)

cluster: ## What make e2e would make first: packages, programs and images (5 to 10 minutes, once)
	@$(DEV) -- $(BIN)/python -m tests.cluster prepare

bench: ## Size and speed, as one table (a part: ARGS=latency, pages, wake, sessions, start, pods or operator)
	@$(DEV) -- $(BIN)/python -m tests.cluster run --or-without -- $(BIN)/python -m tests.perf $(ARGS)

kind: ## Jelmore in a Kubernetes of its own on this machine, by kind and Docker, to try it out
	@scripts/kind.sh up

kind-down: ## Remove that, with every session in it
	@scripts/kind.sh down

crd: ## Make crds/claudesessions.yaml (and the chart's copy) from the resource's models
	@$(DEV) -- $(BIN)/python -m scripts.crd

chart: ## Make the table of values in helm/jelmore/README.md from values.yaml
	@$(DEV) -- $(BIN)/python -m scripts.chart_readme

asyncapi: ## Make docs/asyncapi.yaml and the tables of docs/events.md from the contract
	@$(DEV) -- $(BIN)/python -m scripts.asyncapi

lock: ## Compile requirements/ from pyproject.toml (UPGRADE=1: newest versions)
	@$(DEV) -- scripts/lock.sh

fmt: ## Format the code and apply ruff's safe fixes
	@$(DEV) -- $(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## Remove the environment and all caches (not JELMORE_HOME, where sessions are)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
