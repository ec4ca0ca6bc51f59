# keisan: the two commands to know are `make up` and `make test`.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
# Test files run side by side, but for those that start a whole platform: much of what they do is waiting, so three for two cores.
WORKERS ?= $(shell echo $$(($(shell nproc) * 3 / 2)))
MINUTES ?= 10

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

BIN    := $(VENV)/bin
STAMPS := $(VENV)/stamps
UV     := $(BIN)/uv pip
# The environment's own variables for Python (a user site, another checkout) must not leak into what is built and tested.
unexport PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE := 1
export VIRTUAL_ENV := $(CURDIR)/$(VENV)

# What the relay is built from; the fuzz targets are none of it.
RUST_FILES := $(wildcard Cargo.toml Cargo.lock) \
	$(shell find crates -type f \( -name '*.rs' -o -name '*.toml' \) -not -path 'crates/fuzz/*' 2>/dev/null)

# How the relay runs, as `make profile` saw it. What is built afterwards is built by it, though the sources have changed since.
PROFILE := target/profile/relay.profdata

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo "  ARGS=... is passed to keisan by \`make up\`, to pytest by \`make test\`, and to each bench by \`make bench\`"
	@echo "  WORKERS=1 lets \`make test\` run one file after another, and not three side by side for two cores"
	@echo "  MINUTES=10 or SECONDS=20 is for each parser of \`make fuzz\`, and PARSER=stream is for one of them"

.PHONY: up
up: $(STAMPS)/run $(STAMPS)/native ## set up and start a platform (Ctrl-C stops it)
	@exec $(BIN)/keisan up $(ARGS)

.PHONY: setup
setup: $(STAMPS)/run $(STAMPS)/development $(STAMPS)/native ## everything that development needs, in .venv

# Platforms that are cut off, stopped and restored, by seeds. Ten thousand of them use all cores by themselves.
SCHEDULES := tests/simulation/test_federation.py
MANY := test_everything_converges_once_faults_have_stopped
# How test files run side by side, in any order: by their number of tests, those that take longest would come last. Those ten
# thousand run by themselves.
BESIDE := -n $(WORKERS) --dist loadfile --no-loadscope-reorder -k "not $(MANY)"

.PHONY: test
test: setup ## set up, bring up the servers that tests need, run all tests
	@make/postgresql.sh
	@make/nats.sh
	cargo test --workspace --locked
ifneq ($(ARGS),)
	$(BIN)/python -m pytest $(ARGS)
else
	$(BIN)/python -m pytest $(BESIDE) --ignore tests/e2e
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal tests/e2e -m waits
	$(BIN)/python -m pytest tests/e2e -m "not waits"
	$(BIN)/python -m pytest -q $(SCHEDULES) -k $(MANY) -o faulthandler_timeout=0
endif

# Looking at each line takes half as long again. What schedules run is tried beside the code too.
.PHONY: coverage
coverage: setup ## run all tests but the ten thousand schedules, and hold each room to its share of lines and branches
	@make/postgresql.sh
	@make/nats.sh
	@rm -f .coverage .coverage.*
	$(BIN)/python -m pytest $(BESIDE) --ignore tests/e2e --cov --cov-report=
	$(BIN)/python -m pytest tests/e2e --cov --cov-append --cov-report=
	@$(BIN)/python -m coverage json --quiet -o .coverage.json
	@$(BIN)/python make/coverage_floors.py .coverage.json

.PHONY: check
check: setup ## format, lint, types, import contracts, house rules
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	@make/rust_check.sh
	$(BIN)/python -m pytest -q tests/tidy

# The smallest word for a time wins: SECONDS on the command line, else MINUTES.
.PHONY: fuzz
fuzz: $(STAMPS)/build ## search for inputs that break a parser
	@make/fuzz.sh search $(or $(SECONDS),$$(($(MINUTES) * 60))) $(PARSER)

.PHONY: corpus
corpus: $(STAMPS)/build ## keep the fewest inputs that reach what `make fuzz` has reached
	@make/fuzz.sh keep $(PARSER)

.PHONY: profile
profile: $(PROFILE) ## build the relay by how it runs, as the wheel is: a sixth less of the processor a call
	@$(MAKE) --no-print-directory setup

.PHONY: bench
bench: profile ## run every bench; each prints one JSON line (ARGS=--quick: each under a minute)
	@for file in bench/*.py; do if [ -f "$$file" ]; then $(BIN)/python "$$file" $(ARGS); fi; done

.PHONY: wheel
wheel: $(PROFILE) ## build the wheel that runs without Rust, in dist/
	@make/wheel.sh $(BIN)

.PHONY: lock
lock: $(STAMPS)/build ## choose the newest allowed versions again and write them down with hashes
	@make/lock.sh $(BIN)/uv

# `install` and not `sync`: sync would take keisan itself out of the environment, perhaps under a running `make up`. That
# nothing undeclared is used is shown by a fresh clone and by tests/tidy/rules/dependencies.py.
# Each stamp says "done with these inputs"; a changed input does its step again and no other.
$(STAMPS)/build: requirements/build.txt make/tools.sh
	@PYTHON="$(PYTHON)" make/tools.sh
	@echo "keisan: making $(VENV) and installing the build tools"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements/build.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/run: requirements/run.txt $(STAMPS)/build
	@echo "keisan: installing what it runs on (hash-checked)"
	@$(UV) install --compile-bytecode --require-hashes -r requirements/run.txt
	@touch $@

$(STAMPS)/development: requirements/development.txt $(STAMPS)/build
	@echo "keisan: installing what development needs (hash-checked)"
	@$(UV) install --compile-bytecode --require-hashes -r requirements/development.txt
	@touch $@

# A relay that was built already is built again, by what was seen.
$(PROFILE): $(RUST_FILES) pyproject.toml make/profile.sh | $(STAMPS)/run $(STAMPS)/development
	@rm -f $(STAMPS)/native
	@make/profile.sh $(BIN)

$(STAMPS)/native: $(RUST_FILES) pyproject.toml $(STAMPS)/run
	@echo "keisan: building the relay (the first time takes some minutes)"
	@make/maturin.sh $(BIN) develop --uv
	@touch $@
