# From a bare clone: `make reproduce` or `make test`. Needs python3 (3.11 to 3.14) with pip, and GNU Make 3.81.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory

PROFILE ?= quick
PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
PORT ?= 8000
FIG ?=
P ?=
# What a reader set for other programs is no part of this: other packages, kernels, styles and repositories.
export PYTHONPATH :=
export PYTHONHOME :=
export PYTHONSTARTUP :=
export PYTHONNOUSERSITE := 1
export JUPYTER_PATH :=
export JUPYTER_PREFER_ENV_PATH := 1
export MATPLOTLIBRC :=
export MPLBACKEND :=
unexport GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR
export P
# Of the book's buttons, if there is a repository: make book REPOSITORY=https://github.com/owner/name
export REPOSITORY JUPYTERHUB BRANCH

JOBS ?= $(shell $(PYTHON) cemrnn/system/resources.py 2>/dev/null || echo 2)

PACKAGE := cemrnn
STAMP := $(VENV)/.installed
RUN := $(VENV)/bin/python -P -m
CEMRNN := $(RUN) cemrnn.commands.main
OUT := build/$(PROFILE)
BOOK := $(OUT)/html/index.html
PARAMS := notebooks/params/$(PROFILE).yml
SMALLEST := $(wildcard notebooks/params/smoke.yml notebooks/params/quick.yml)
SIZES := $(sort $(PARAMS) notebooks/params/quick.yml)
# A figure's own folder makes its notebook stale; what all figures compute and draw with makes all of them stale; what
# keeps, runs and publishes (store, sweep, reproduce, commands, bench) makes none stale.
ROOMS := config.py random.py system tasks network measures training dynamics figures/shared figures/style.py \
  figures/cemrnn.mplstyle figures/result.py figures/remember.py reproduce/record.py reproduce/finding.py
SOURCES := $(shell find $(ROOMS:%=$(PACKAGE)/%) \( -name '*.py' -o -name '*.mplstyle' \) 2>/dev/null)
CONDITIONS := $(shell find $(PACKAGE)/figures -name '*.py' -not -name 'plot.py' 2>/dev/null)
PAGES := $(shell find book -type f -not -name '*.pyc') $(wildcard $(PACKAGE)/figures/*/claims.yml CITATION.cff)
MEASURED := $(wildcard build/bench/*.json)
# A figure is what has a folder of its own; other notebooks (Untitled, a copy) are left alone.
FIGURES := $(shell for folder in $(PACKAGE)/figures/*/experiment.py; do basename "$$(dirname "$$folder")"; done; \
  IFS=:; for place in $${CEMRNN_FIGURES:-}; do for file in "$$place"/*/experiment.py; do \
  basename "$$(dirname "$$file")"; done; done)
FOUND := $(basename $(notdir $(wildcard notebooks/*.ipynb)))
STEMS := $(filter $(FIGURES),$(FOUND))
STRAY := $(filter-out $(STEMS),$(FOUND))
TUTORIALS := $(basename $(notdir $(wildcard notebooks/tutorials/*.ipynb)))
TAUGHT := $(TUTORIALS:%=$(OUT)/notebooks/%.ipynb)
ALL := $(STEMS) $(TUTORIALS)
EXECUTED := $(ALL:%=$(OUT)/notebooks/%.ipynb)
# A notebook is run again if some of what it left is lost, by the list that lies beside it.
LOST := $(shell for stem in $(ALL); do list="$(OUT)/notebooks/$$stem.files"; ( [ -e "$$list" ] && \
  while IFS= read -r file; do [ -e "$(OUT)/$$file" ] || exit 1; done < "$$list" ) || echo "$(OUT)/notebooks/$$stem.ipynb"; \
  done)

ifeq ($(wildcard $(PARAMS)),)
$(error unknown PROFILE=$(PROFILE); expected one of: $(basename $(notdir $(wildcard notebooks/params/*.yml))))
endif

# A file that is dated in the future would be newer than all that is made from it, for ever.
ifneq ($(filter reproduce train notebooks book,$(MAKECMDGOALS)),)
DATED := $(shell { mkdir -p build && touch build/.now && \
  find notebooks book $(PACKAGE) -type f -newer build/.now -exec touch -c {} + -print; } 2>/dev/null)
$(if $(DATED),$(info dated in the future, so dated anew: $(DATED)))
endif

# Another repository is another book.
ADDRESS := $(OUT)/.repository
ifneq ($(filter reproduce steps book,$(MAKECMDGOALS)),)
NAMED := $(shell named="$(strip $(REPOSITORY) $(JUPYTERHUB) $(BRANCH))"; \
  [ "$$named" = "$$(cat $(ADDRESS) 2>/dev/null)" ] || { mkdir -p $(OUT) && echo "$$named" > $(ADDRESS); } 2>/dev/null)
endif

.PHONY: help reproduce steps environment train notebooks book test test-gpu verify figure lab bench times validate serve lint lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s%s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo "PROFILE is one of: $(basename $(notdir $(wildcard notebooks/params/*.yml))); now $(PROFILE)."
	@echo "PYTHON=python3.12 picks another Python, PIP_ARGS='...' adds arguments for pip."

# exec, here and below: a signal to make reaches what runs, and no shell in between.
reproduce: ## environment, training, notebooks and book at PROFILE
	@if $(MAKE) -q $(BOOK); then \
	  echo "Nothing has changed: the book at profile $(PROFILE) is up to date."; \
	else exec $(MAKE) steps; fi
	@exec $(CEMRNN) claims --profile $(PROFILE)
	@echo "book: $$PWD/$(BOOK)"

steps:
	$(if $(STRAY),$(info no figure, so left alone: $(STRAY)))
	@echo "[1/4] environment"
	@exec $(MAKE) environment
	@echo "[2/4] training"
	@exec $(MAKE) train
	@echo "[3/4] notebooks"
	@OMP_NUM_THREADS=1 exec $(MAKE) -j $(JOBS) notebooks
	@echo "[4/4] book"
	@exec $(MAKE) $(BOOK)

environment: $(STAMP) ## .venv with the exact packages of requirements.lock
	@echo "environment: $(VENV) is ready"

train: $(OUT)/trained ## train the networks that PROFILE needs and build/store lacks
	@echo "training: complete at profile $(PROFILE)"

notebooks: $(EXECUTED) ## run the notebooks whose sources changed
	@echo "notebooks: $(words $(EXECUTED)) of $(words $(EXECUTED)) complete at profile $(PROFILE)"

book: $(BOOK) ## build the pages
	@echo "book: $(BOOK)"

# One process more than there are cores: tests of sweeps and signals wait for most of their time.
test: $(STAMP) ## all tests
	OMP_NUM_THREADS=1 exec $(RUN) pytest -n $$(($(JOBS) + 1)) --dist loadfile

# Triton is part of PyTorch for CUDA, and no part of the lock. Without a card its interpreter shows what the kernels
# compute, and its compiler that they fit a card; nothing shows how fast they are.
GPU := build/gpu
KERNELS := tests/network/engine/test_fused_kernels.py tests/training/test_fused_training.py tests/card/test_rendering.py \
  tests/card/test_recording.py::test_a_card_repeats_its_steps \
  tests/dynamics/test_fixed_points.py::test_a_card_finds_and_follows_the_same_points
BINARIES := tests/network/engine/test_fused_binary.py tests/card/test_rendering_binary.py
test-gpu: $(GPU)/.installed ## tests of the kernels for CUDA, in Triton's interpreter where there is no card
	@export OMP_NUM_THREADS=1 TRITON_CACHE_DIR=$$PWD/$(GPU)/cache; run="$(GPU)/bin/python -P -m pytest -n $(JOBS)"; \
	$$run $(BINARIES); \
	if $(GPU)/bin/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then exec $$run $(KERNELS); \
	else TRITON_INTERPRET=1 exec $$run $(KERNELS); fi

# An environment of its own on top of the normal one, which stays as the lock says.
$(GPU)/.installed: requirements-gpu.lock $(STAMP)
	@$(VENV)/bin/python -m venv $(GPU)
	@own='import sysconfig; print(sysconfig.get_path("purelib"))'; \
	echo "import site; site.addsitedir('$$($(VENV)/bin/python -c "$$own")')" > "$$($(GPU)/bin/python -c "$$own")/normal.pth"
	@$(GPU)/bin/python -c 'import triton' 2> /dev/null || $(GPU)/bin/python -m pip install --quiet $(PIP_ARGS) -r requirements-gpu.lock
	@touch $@

verify: $(STAMP) ## compare the results at PROFILE with those that are expected
	@exec $(CEMRNN) verify --profile $(PROFILE)

figure: $(STAMP) ## one notebook with other parameters: FIG=fig2_ambiguity P="n_units=128 seed=3"
	@$(if $(FIG),,echo "name a figure: make figure FIG=<one of: $(STEMS)>" >&2; exit 2;) \
	exec $(CEMRNN) run $(FIG) --profile $(PROFILE) --parameters "$$P"

lab: $(STAMP) ## JupyterLab on the notebooks
	@exec $(RUN) jupyterlab notebooks

bench: $(STAMP) ## speed against named peers on this machine, for the page of the book that shows it
	@exec $(CEMRNN) bench $(PIP_ARGS:%=--pip-arg=%)

# Seconds of bash; a store that the environment names is no part of a bare clone.
TIMES := build/times
times: $(STAMP) ## measure in a fresh clone, about an hour, how long all takes, for README; let the machine be quiet
	@rm -rf $(TIMES) && git clone --quiet . $(TIMES); unset CEMRNN_STORE; \
	SECONDS=0; $(MAKE) -C $(TIMES) reproduce; reproduce=$$SECONDS; \
	SECONDS=0; $(MAKE) -C $(TIMES) test; test=$$SECONDS; \
	exec $(CEMRNN) times $(TIMES) --profile $(PROFILE) --reproduce $$reproduce --test $$test

validate: $(STAMP) ## our trials against the public generators: YANG=<copy of gyyang/multitask> DRISCOLL=<copy of theirs>
	@$(CEMRNN) validate --profile $(PROFILE) $(if $(YANG),--yang '$(YANG)') $(if $(DRISCOLL),--driscoll '$(DRISCOLL)')

serve: $(STAMP) ## show the book that was built last at PROFILE on http://localhost:PORT, or the next free port
	@exec $(CEMRNN) serve --profile $(PROFILE) --port $(PORT)

lint: $(STAMP) ## ruff: rules and format; import-linter: which room may import from which
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/lint-imports --no-cache

lock: $(STAMP) ## ask the package index whether requirements.lock resolves on every Python that README names
	@exec $(RUN) pytest -m index tests/system/test_environment.py

clean: ## remove everything generated, except .venv, and trained networks and fetched data in build
	@if [ -d build ]; then find build/ -mindepth 1 -maxdepth 1 -not -name store -not -name data -exec rm -rf {} +; fi

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || { \
	  echo "Python 3.11 to 3.14 is needed, but $(PYTHON) is: $$($(PYTHON) --version 2>&1 | head -n 1)." \
	    "Name another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@exec env -u PYTHONNOUSERSITE $(PYTHON) cemrnn/system/environment.py $(VENV) $(PIP_ARGS)
	@touch $@

$(OUT)/trained: $(SIZES) $(SOURCES) $(CONDITIONS) | $(STAMP)
	@exec $(CEMRNN) sweep --profile $(PROFILE)
	@{ mkdir -p $(@D) && touch $@; } 2>/dev/null || { \
	  echo "nothing can be written in $$PWD/$(@D): a full disk, or not yours?" >&2; exit 1; }

run = n=$$(echo $(ALL) | tr ' ' '\n' | grep -nx '$(1)' | cut -d: -f1); echo "notebook $$n/$(words $(ALL)): $(1)"; \
  exec $(CEMRNN) run $(1) --profile $(PROFILE) --trained

.SECONDEXPANSION:
$(OUT)/notebooks/%.ipynb: notebooks/%.ipynb $$(wildcard $(PACKAGE)/figures/$$*/*.py $(PACKAGE)/figures/$$*/finding.md) $(SIZES) $(SOURCES) $(OUT)/trained
	@$(call run,$*)

# A tutorial has fixed sizes, and may call anything that a reader may.
$(TAUGHT): $(OUT)/notebooks/%.ipynb: notebooks/tutorials/%.ipynb $(wildcard $(PACKAGE)/api.py) $(CONDITIONS) $(SMALLEST) $(SOURCES) \
    | $(OUT)/trained
	@$(call run,$*)

ifneq ($(LOST),)
.PHONY: again
$(LOST): again
endif

# What measures time runs when all others are done, and alone.
MEASURING := $(OUT)/notebooks/fig9_overhead_scaling.ipynb
$(MEASURING): | $(filter-out $(MEASURING),$(EXECUTED))

$(BOOK): $(EXECUTED) $(PAGES) $(SIZES) $(MEASURED) $(wildcard $(ADDRESS))
	@exec $(CEMRNN) book --profile $(PROFILE) > /dev/null
