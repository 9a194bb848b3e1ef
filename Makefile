# Everything runs in a virtual environment of its own, from lock files with hashes.
# Needed: Python 3.11 or later, git, make.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo serve test check format lint types layers tests docs check-docs models lock wheel stories bench bench-explain bench-peers clean

define make-venv
@test -n "$(PYTHON)" || { echo "No Python 3.11 or later was found; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
@echo "Installing the $(@F) packages into $(VENV) (once)"
@$(PYTHON) -m venv $(VENV)
endef

help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/runtime: requirements.lock pyproject.toml
	$(call make-venv)
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/development: requirements-dev.lock pyproject.toml
	$(call make-venv)
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/runtime ## Sends real mail through every way it can fail, and says why
	@$(BIN)/waybill demo

serve: $(VENV)/runtime ## Runs the service on this machine with a fixed key
	@$(BIN)/waybill serve --dev

test: check ## Runs every check and test

check: format lint types layers check-docs tests

format: $(VENV)/development
	$(BIN)/ruff format --check .

lint: $(VENV)/development
	$(BIN)/ruff check .

types: $(VENV)/development
	$(BIN)/mypy src tests scripts bench

layers: $(VENV)/development
	$(BIN)/lint-imports

# A commit waits for the disk; in memory it is as final for a process that is killed, and the tests wait less.
tests: $(VENV)/development
	@memory=$$(test "$$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 {print $$4}')" -gt 2000000 2>/dev/null \
		&& ! grep -Eq ' /dev/shm .*noexec' /proc/mounts && mktemp -d -p /dev/shm); \
	PYTEST_DEBUG_TEMPROOT=$${memory:-$${TMPDIR:-/tmp}} $(BIN)/pytest -n 2 --dist loadfile; \
	ended=$$?; test -z "$$memory" || rm -rf "$$memory"; exit $$ended

stories: $(VENV)/development ## Plays every story end to end, and prints how many are told right
	$(BIN)/python -m tests.stories

docs: $(VENV)/development ## Writes the generated pages again
	$(BIN)/python scripts/generate_docs.py

check-docs: $(VENV)/development
	$(BIN)/python scripts/generate_docs.py --check
	$(BIN)/python scripts/generate_models.py --check

models: $(VENV)/development ## Takes the service models from botocore again
	$(BIN)/python scripts/generate_models.py

lock: $(VENV)/development ## Resolves the lock files again
	$(BIN)/python scripts/lock.py

wheel: $(VENV)/development ## Builds the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation

bench: $(VENV)/development ## Measures throughput and latency on this machine
	$(BIN)/python bench/throughput.py

bench-explain: $(VENV)/development ## Times explanations in a ledger of a million messages
	$(BIN)/python bench/explanations.py

bench-peers: $(VENV)/development ## The same beside Postfix and Postfix + OpenDKIM; needs root and both
	$(BIN)/python bench/peers.py

clean: ## Removes what the targets above have made
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
