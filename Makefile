# SPDX-License-Identifier: GPL-3.0-or-later
# The short form of what people do here; `make help` lists it. ARGS reaches ansible-playbook (suite) or pytest (test).

# Ansible needs a UTF-8 locale. C.UTF-8 is in every C library; a locale that is UTF-8 already stays.
ifeq ($(filter UTF-8 utf8,$(shell locale charmap 2>/dev/null)),)
export LC_ALL := C.UTF-8
endif
# A user id without a home, as containers have, gets one here.
ifneq ($(shell test -n "$$HOME" -a "$$HOME" != / -a -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/.perfscale/home
endif
# As some containers set it. Each ansible-playbook would compile again all that it imports, which takes longer than the rest of its start.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/perfscale.mlflow
ARGS ?=
PAGES ?= .perfscale/pages
# The first Python that is new enough; PYTHON=… chooses another one.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
  $$name -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
PLAY := PATH="$(CURDIR)/$(BIN):$$PATH" ansible-playbook
# A stamp is called after what it stands for, so that other requirements make another one.
STAMP = $(VENV)/.$(1)-$(shell cat $(2) | cksum | cut -d ' ' -f 1)
CONTROLLER := $(call STAMP,controller,requirements.txt)
DEVELOPER := $(call STAMP,developer,requirements.txt requirements-dev.txt)

.DEFAULT_GOAL := help
.PHONY: help venv suite check test test-cluster cluster-up cluster-down bench lint types docs pages clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

venv: $(CONTROLLER) ## make or refresh the virtual environment .venv

$(BIN)/uv:
	@test -n "$(PYTHON)" || { echo 'Python: no 3.11 or newer (with venv) on PATH. Install python3.11 and python3.11-venv, or set PYTHON=/path/to/python.' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(CONTROLLER): requirements.txt | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt
	@rm -f $(VENV)/.controller-* && touch $@

$(DEVELOPER): requirements.txt requirements-dev.txt | $(CONTROLLER)
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements-dev.txt
	@rm -f $(VENV)/.developer-* && touch $@

# The suite stops everything before its verdict and removes the file; where it broke before that, teardown.yml does both.
suite: venv ## run the whole job on this machine and stop what it started (ARGS='-e …' goes to ansible-playbook)
	@pending=$$(mktemp) || exit; trap : INT TERM; code=0; \
	$(PLAY) playbooks/full_suite.yml -e teardown_pending_file=$$pending $(ARGS) || code=$$?; \
	test ! -e $$pending || $(PLAY) playbooks/teardown.yml $(ARGS) || { stopped=$$?; test $$code -ne 0 || code=$$stopped; }; \
	rm -f $$pending; exit $$code

check: $(DEVELOPER) ## run what pre-commit runs on all files: linters and the quick rules of the repository
	@$(BIN)/pre-commit run --all-files

test: $(DEVELOPER) ## set up and run every check and test (needs Go too; ARGS goes to pytest, and with paths in it nothing else runs)
	@$(BIN)/python tests/run.py $(ARGS)

test-cluster: $(DEVELOPER) ## make a real Kubernetes of one node, run tests/cluster in it, remove it (root on Linux; ARGS goes to pytest)
	@$(BIN)/python tests/cluster/run.py test $(ARGS)

cluster-up: $(CONTROLLER) ## make that Kubernetes and leave it running
	@$(BIN)/python tests/cluster/run.py up

cluster-down: $(CONTROLLER) ## remove that Kubernetes
	@$(BIN)/python tests/cluster/run.py down

lint: $(DEVELOPER) ## run the linters among them (.pre-commit-config.yaml lists them)
	@SKIP=repository-tests $(BIN)/pre-commit run --all-files

types: $(DEVELOPER) ## check the types of plugins/module_utils
	@$(BIN)/mypy

bench: $(DEVELOPER) ## measure how fast the collection's own parts are
	@$(BIN)/python tests/run.py --benchmarks

docs: $(DEVELOPER) ## write the generated pages of docs and the dashboard again
	@$(BIN)/python docs/generate_pages.py
	@$(BIN)/python docs/generate_dashboard.py

pages: $(DEVELOPER) ## write the documentation of plugins and roles as HTML (PAGES=DIR chooses where, else .perfscale/pages)
	@mkdir -p "$(PAGES)/rst" && chmod go-w "$(PAGES)/rst"
	@PATH="$(CURDIR)/$(BIN):$$PATH" antsibull-docs collection --use-current --squash-hierarchy --fail-on-error --dest-dir "$(PAGES)/rst" perfscale.mlflow
	@$(BIN)/sphinx-build -q -C -W -D extensions=sphinx_antsibull_ext -D project=perfscale.mlflow -D html_theme=alabaster \
	  -D suppress_warnings=ref.ref "$(PAGES)/rst" "$(PAGES)/html"
	@echo "$(PAGES)/html/index.html"

clean: ## stop and remove the environment, the data of the local stack and the cache (results stay)
	@if test -x $(BIN)/ansible-playbook -a -d .perfscale; then $(PLAY) playbooks/teardown.yml -e teardown_data=true; fi
	@if test -x $(BIN)/python -a -d "$(CACHE)/cluster"; then $(BIN)/python tests/cluster/run.py down; fi
	rm -rf $(VENV) .perfscale "$(CACHE)"
