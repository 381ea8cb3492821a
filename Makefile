# `make demo` shows the main job, `make test` proves it. Each target sets up what it needs; running one again is quick.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: help setup demo test lint bench crash campaign cassettes fuzz install uninstall lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: $(READY) ## the virtual environment in .venv, from pinned and hashed packages

$(READY): .locks/dev.txt pyproject.toml syncd/__init__.py .ci/venv
	@.ci/venv "$(PYTHON)" "$(VENV)"
	@touch $(READY)

demo: $(READY) ## the whole way on this machine, no account needed
	@$(BIN)/syncd demo

test: lint ## the standards gate and every test
	@.ci/need curl strace systemctl:systemd unshare:util-linux
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder --cov --cov-report= -q
	$(BIN)/coverage report

lint: $(READY) ## ruff, mypy, import contracts, declared dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

bench: $(READY) ## measurements; compare within one run only
	$(BIN)/python -m tests.bench

crash: $(READY) ## kill the receiver a hundred times under load, and runs two hundred times, and compare the books
	$(BIN)/python -m tests.crash --kills 100 --runs 200

campaign: $(READY) ## every kind of fault at 10 % under a campaign of 5,000, and what Salesforce says in the end
	$(BIN)/pytest -q --timeout 0 -m large
	$(BIN)/python -m tests.campaign
	$(BIN)/python -m tests.campaign --bulk

cassettes: $(READY) ## record the conversations with Salesforce anew: from the sandbox, or a real org ($SALESFORCE_…)
	$(BIN)/python -m tests.cassettes

fuzz: $(READY) ## a hundred thousand bodies, through Flask and through the seam: none refused, none lost
	$(BIN)/pytest -q --timeout 0 --hypothesis-profile fuzz tests/receiver/test_fuzz.py \
	  -k 'refused_or_lost'
	$(BIN)/pytest -q --timeout 0 --hypothesis-profile fuzz tests/receiver/test_plain.py

install: ## as root: syncd as a service of systemd, in PREFIX (/usr/local); again: an upgrade. DESTDIR for packages
	@PYTHON="$(PYTHON)" PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" systemd/install.sh

uninstall: ## as root: what install put there; configuration and data stay
	@PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" systemd/uninstall.sh

lock: $(READY) ## resolve the dependencies anew (pinned, hashed, no addresses)
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-header --no-emit-index-url --no-annotate --universal \
	  --python-version 3.11 pyproject.toml -o .locks/run.txt
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-header --no-emit-index-url --no-annotate --universal \
	  --python-version 3.11 pyproject.toml --group dev -o .locks/dev.txt

clean: ## what make made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
