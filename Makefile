# Everything a contributor does, by name. `make` alone lists the names.
# Paths are relative on purpose: the checkout may lie in a folder whose name has spaces.

PYTHON ?=
export PYTHON
# Each of the many processes of the tests would compile the whole bot again.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
CHECKS := lint types imports pytest

# For a part of the tests: make test PYTEST_ARGS=tests/domain COVERAGE=
PYTEST_ARGS ?=
# Tests that start servers wait for them, too; each more worker costs the time in which it reads all tests.
PROCESSORS := $(shell nproc 2>/dev/null || echo 2)
WORKERS ?= $(shell echo $$((2 * $(PROCESSORS) + 1)))
COVERAGE ?= --cov --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100
# Measuring doubles the time of all Python that runs meanwhile, so only these are measured: what decides must be covered
# by tests that ask it, not by the way.
MEASURED := tests/domain tests/policy $(sort $(wildcard tests/scenarios/test_*_on_fakes.py))
BESIDE := $(foreach path,tests/bench $(MEASURED),--ignore=$(path))
# For example: make demo DEMO_ARGS=--keep
DEMO_ARGS ?=
IMAGE ?= liftlock:dev
UV ?= $(shell command -v uv || echo $(BIN)/uv)
COMPILE = $(UV) pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-header --no-emit-index-url --no-strip-extras

.DEFAULT_GOAL := help
# Two installs into one .venv at once would disturb each other.
.NOTPARALLEL:
.PHONY: help install install-dev demo test lint types imports pytest unit kill-matrix format bench fuzz machine image lock clean

help: ## List what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

install: ## Make .venv with the pinned dependencies and the project
	@.ci/install requirements.lock

install-dev:
	@.ci/install requirements-dev.lock

demo: install ## Install into .venv, then play four releases through the sandbox
	@$(BIN)/liftlock demo $(DEMO_ARGS)

# Every check runs, whatever became of the one before; the tests come last, so that what they skipped is seen. They are
# compiled meanwhile, once: each worker would do it for itself.
test: install-dev ## Install into .venv, then run everything that CI checks
	@.ci/real-servers
	@failed=; \
	$(BIN)/pytest -q --collect-only >/dev/null 2>&1 & \
	for check in $(CHECKS); do \
	  printf '\n== make %s\n' "$$check"; \
	  $(MAKE) --no-print-directory "$$check" || failed="$$failed $$check"; \
	done; \
	if [ -n "$$failed" ]; then echo "make test: failed:$$failed (see above)."; exit 1; fi; \
	echo "make test: all passed: $(CHECKS)."

lint: install-dev ## Check style and format
	@status=0; \
	$(BIN)/ruff check . || status=1; \
	$(BIN)/ruff format --check . || status=1; \
	exit $$status

types: install-dev ## Check types, strictly, in bot and tests
	@$(BIN)/mypy

imports: install-dev ## Check that imports only point down the layers
	@$(BIN)/lint-imports --no-logo

SIDE_BY_SIDE = --numprocesses=$(WORKERS) --maxprocesses=8 --dist=worksteal
# These wait for nothing.
MEASURING = --numprocesses=$(PROCESSORS) --maxprocesses=8 --dist=worksteal

pytest: install-dev ## Run all tests, those of what decides with coverage (PYTEST_ARGS, COVERAGE, WORKERS)
ifeq ($(strip $(PYTEST_ARGS)),)
	@status=0; \
	$(BIN)/pytest $(MEASURING) $(COVERAGE) $(MEASURED) || status=1; \
	$(BIN)/pytest $(SIDE_BY_SIDE) $(BESIDE) || status=1; \
	exit $$status
else
	@$(BIN)/pytest $(SIDE_BY_SIDE) --ignore=tests/bench $(COVERAGE) $(PYTEST_ARGS)
endif

unit: install-dev ## Run the fast tests only: no lab, no scenarios, no real servers
	@$(BIN)/pytest -m 'not prometheus and not registry' --ignore=tests/bench --ignore=tests/lab --ignore=tests/scenarios $(PYTEST_ARGS)

kill-matrix: install-dev ## Kill the bot at every place where it writes something, and compare the ends; some minutes
	@LIFTLOCK_KILL_EVERY=1 $(BIN)/pytest $(SIDE_BY_SIDE) tests/killing $(PYTEST_ARGS)

format: install-dev ## Mend style and format where that is safe
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

machine: install-dev ## Give the whole loop many random histories (LIFTLOCK_MACHINE_EXAMPLES, 500)
	@LIFTLOCK_MACHINE_EXAMPLES=$${LIFTLOCK_MACHINE_EXAMPLES:-500} $(BIN)/pytest -q tests/properties/test_state_machine.py

bench: install-dev ## Measure speed
	@$(BIN)/pytest -q tests/bench $(PYTEST_ARGS)

fuzz: install-dev ## Give the editor many arbitrary files (LIFTLOCK_FUZZ_EXAMPLES, 20,000 a test)
	@LIFTLOCK_FUZZ_EXAMPLES=$${LIFTLOCK_FUZZ_EXAMPLES:-20000} $(BIN)/pytest -q --timeout=3600 --numprocesses=$(WORKERS) tests/properties/test_edit_fuzz.py

image: ## Build the container image (IMAGE=name:tag)
	docker build --tag $(IMAGE) .

# The build backend is locked from what pyproject.toml asks for, so that a build fetches nothing that is not pinned.
lock: install ## Pin the newest dependencies that pyproject.toml allows
	@test -x "$(UV)" || $(BIN)/python -m pip --disable-pip-version-check install --quiet uv
	@$(COMPILE) --upgrade --group dev pyproject.toml -o requirements-dev.lock
	@$(COMPILE) --upgrade --constraints requirements-dev.lock pyproject.toml -o requirements.lock
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	  | $(COMPILE) --upgrade --constraints requirements-dev.lock - -o requirements-build.lock

clean: ## Remove what was made here: .venv, caches, builds
	rm -rf .venv build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find bot tests -name __pycache__ -type d -exec rm -rf {} +
