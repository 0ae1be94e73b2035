# `make demo` shows Operator at work, `make test` checks it. Both set up what they need.
SHELL := /bin/bash
BIN := .cache/venv/bin
PY := $(BIN)/python
WORKERS ?= 0
AGENT_WORKERS ?= 2
KILLS ?= 200
AGENTS ?= 200
PYTEST_ARGS ?=
# Beyond ruff's rules. Not: timeouts that are data (109), async where an adapter awaits nothing (124, 910, 911),
# start functions that pass their task_status on (113, 114, 128), generators that are closed with aclosing (900).
ASYNC_RULES := --enable=ASYNC --disable=ASYNC109,ASYNC113,ASYNC114,ASYNC124,ASYNC128,ASYNC900,ASYNC910,ASYNC911
# What must also type-check for the platforms it is written for, though the daemon runs on Linux.
PORTABLE := $(wildcard supervisor/domain supervisor/ports supervisor/hook.py supervisor/ptyhost clients/api)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test fix lint types imports pytest faults agents vscode vsix workbench bench lock clean
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make the environment in .cache/venv (every target below does)
	@.ci/setup

demo: setup ## see Operator at work with a rehearsal agent (KEEP=1 keeps it up, ASK=1 lets you decide)
	@$(BIN)/operator demo

test: lint types imports pytest agents ## lint, types, imports, then all tests (WORKERS=2 for parallel ones)

fix: setup ## format, and repair what ruff can repair
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

lint: setup ## ruff and flake8-async
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/flake8-async $(ASYNC_RULES) $$(find supervisor clients -name node_modules -prune -o -name '*.py' -print)

types: setup ## mypy --strict, and of the portable parts for Windows and macOS too
	@$(BIN)/mypy
	@for platform in win32 darwin; do $(BIN)/mypy --platform $$platform --cache-dir .cache/mypy/$$platform $(PORTABLE) || exit; done

imports: setup ## who may import whom (import-linter)
	@$(BIN)/lint-imports --no-logo --cache-dir .cache/importlinter

pytest: setup ## the tests alone (PYTEST_ARGS="-k queue")
	@$(PY) -m pytest -n $(WORKERS) $(PYTEST_ARGS)

faults: setup ## kill things at KILLS=200 random points and beside AGENTS=200, and look at what is left
	@$(PY) -m pytest tests/faults --kills=$(KILLS) --agents=$(AGENTS) $(PYTEST_ARGS)

agents: ## the real agent CLIs, offline, AGENT_WORKERS=2 at a time (the first time npm installs them: 640 MB)
	@.ci/setup --agents
	@$(PY) -m pytest tests/agents tests/contract/test_driver_sessions.py -m agents -n $(AGENT_WORKERS) $(PYTEST_ARGS)

vscode: ## the VS Code extension: types, lint, unit tests, and its .vsix
	@.ci/setup --vscode
	@cd clients/vscode && npx tsc -p . && npx eslint . && npm test --silent
	@$(MAKE) --no-print-directory vsix

vsix: ## make clients/vscode/out/operator.vsix, with the wheel in it
	@.ci/setup --vscode
	@rm -rf clients/vscode/out/*.whl clients/vscode/out/*.vsix
	@$(PY) -m hatchling build -t wheel -d clients/vscode/out >/dev/null
	@cd clients/vscode && npm run build --silent && \
		npx vsce package --no-dependencies --allow-missing-repository --out out/operator.vsix

workbench: ## the VS Code extension in a real VS Code, in a browser (the first time npm installs them: 960 MB)
	@.ci/setup --workbench
	@$(MAKE) --no-print-directory vsix
	@cd clients/vscode && npm run workbench --silent

bench: setup ## measure the numbers Operator has to hold
	@$(PY) -m pytest tests/bench -m bench -s $(PYTEST_ARGS)

lock: ## write requirements.lock anew from pyproject.toml (needs uv)
	@uv pip compile pyproject.toml --extra test --group build --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --quiet --output-file requirements.lock

clean: ## remove the environment and all caches
	@rm -rf .cache .hypothesis
	@find supervisor clients tests -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
