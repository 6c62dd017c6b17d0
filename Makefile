# make serve | make test | make check | make clean
# CLIP=0 leaves torch and open_clip out: the built-in embedder answers.
PYTHON ?= python3
VENV ?= .venv
CLIP ?= 1
BIN := $(VENV)/bin
PIP := $(PYTHON) -m pip --python $(BIN)/python install --disable-pip-version-check
RUNTIME := $(if $(filter 0,$(CLIP)),requirements.txt,requirements-clip.txt)

.PHONY: serve install test check lint types architecture lock clean

serve: $(VENV)/$(RUNTIME).done
	exec $(BIN)/python app.py

install: $(VENV)/$(RUNTIME).done

test: $(VENV)/requirements-dev.txt.done
	$(BIN)/python -m pytest -n auto --dist loadfile

check: lint types architecture

lint: $(VENV)/requirements-dev.txt.done
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/requirements-dev.txt.done
	$(BIN)/mypy .

architecture: $(VENV)/requirements-dev.txt.done
	$(BIN)/python -m pytest -q tests/test_architecture.py

# The pinned files are made from the .in files; run after changing one.
lock: $(VENV)/requirements-dev.txt.done
	for name in requirements requirements-clip requirements-dev; do \
	  $(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links \
	    --no-emit-trusted-host --no-header --output-file $$name.txt $$name.in || exit 1; \
	  sed -i 's/^\(torch==[0-9.]*\)+cpu/\1/' $$name.txt; done  # any build of that torch will do

# --without-pip: a Debian without python3-venv can make one too; pip comes from the outside.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Exposr needs Python 3.11 or later: make PYTHON=python3.11")'
	$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/%.done: % | $(BIN)/python
	@echo "Installing what $< pins (the first time takes a minute or more) ..."
	$(PIP) -r $<
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache benchmarks/out
