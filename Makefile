# One command for each thing people do here; `make help` lists them.
# Keeps to what GNU make 3.81 (the one macOS ships) understands.

VENV := .venv
RUN := $(VENV)/bin/python -m
STAMP := $(VENV)/.installed

# Extra arguments: make lab LAB_ARGS="--no-browser --port=9000", make test TEST_ARGS="-k vae".
LAB_ARGS ?=
TEST_ARGS ?=
BUILD_ARGS ?=
BROWSER_ARGS ?=
PORTABILITY_ARGS ?=
BENCH_ARGS ?=

# The interpreter that builds .venv; without one given, the first of these that is new enough.
PYTHON ?=
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11 python)
IS_NEW_ENOUGH := import sys, ensurepip; sys.exit(sys.version_info < (3, 11))

.PHONY: help setup lab test gpu-test portability bench site site-test browser-test lint notebooks clean
.DEFAULT_GOAL := help

help:  ## List these commands
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F '|' '{printf "%-20s %s\n", $$1, $$2}'

setup: $(STAMP)  ## Build .venv and install the course into it

$(STAMP): pyproject.toml constraints.txt
	@for candidate in $(CANDIDATES); do \
	  if $$candidate -c "$(IS_NEW_ENOUGH)" 2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "make: this course needs Python 3.11 or newer with venv, and none of these is one: $(CANDIDATES)." >&2; \
	  echo "      Install one (Debian: apt-get install python3 python3-venv), or name it: make setup PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	echo "Building $(VENV) with $$found (a few minutes the first time)"; \
	if ! $(VENV)/bin/python -c "$(IS_NEW_ENOUGH)" 2>/dev/null; then "$$found" -m venv --clear $(VENV); fi
	$(RUN) pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $(STAMP)

lab: $(STAMP)  ## Open the course in JupyterLab (LAB_ARGS="--no-browser --port=9000")
	$(RUN) gm_course lab $(LAB_ARGS)

test: lint  ## Run every check: lint, types, tests, and all notebooks (TEST_ARGS="-k vae")
	$(RUN) pytest --numprocesses=2 --dist=loadfile $(TEST_ARGS)

gpu-test: $(STAMP)  ## Run every notebook on the GPU; skipped where there is none
	$(RUN) tests.gpu

portability: $(STAMP)  ## Run every notebook as on other machines, about 2 hours (PORTABILITY_ARGS=--sample)
	$(RUN) tests.portability $(PORTABILITY_ARGS)

# What only some commands need, by the name of the extra in pyproject.toml.
$(VENV)/.installed-%: $(STAMP)
	$(RUN) pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable ".[$*]"
	@touch $@

site: $(VENV)/.installed-site  ## Build the course as a website in build/site
	$(VENV)/bin/python docs/site/build.py build/site
	@echo "The site starts at build/site/index.html. To read it on other devices as well:"
	@echo "  python3 -m http.server --directory build/site"

site-test: $(VENV)/.installed-site $(VENV)/.installed-browser  ## Build the site and open every page in Chromium
	$(RUN) pytest tests/site

browser-test: $(VENV)/.installed-browser  ## Use the course in JupyterLab with Chromium (BROWSER_ARGS="-k explorer")
	$(RUN) pytest tests/browser --durations=0 $(BROWSER_ARGS)

bench: $(STAMP)  ## Measure the speed of training beside the usual way; quiet machine, some minutes
	$(RUN) benchmarks.training $(BENCH_ARGS)

lint: $(STAMP)  ## Run the linter, the format check and the type checker
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

notebooks: $(STAMP)  ## Rebuild the notebooks whose sources changed (BUILD_ARGS="--force 05-training-a-vae")
	$(RUN) gm_course build $(BUILD_ARGS)

clean:  ## Remove .venv and caches; your notebooks stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
