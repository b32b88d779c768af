PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: run test lint lock bench clean

run: $(INSTALLED)  ## features of the sample clips, on stdout
	$(BIN)/python main.py feature_type=vggish checkpoint=demo file_with_video_paths=./sample/sample_video_paths.txt

test: $(INSTALLED)
	$(BIN)/python -m pytest

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED)  ## against the plain loop; PARTS="clips network startup workers resume hour"
	$(BIN)/python -m benchmarks.bench $(PARTS)

lock: $(INSTALLED)  ## pin what pyproject.toml asks for, for all supported Pythons
	$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-header --no-annotate --no-emit-index-url \
		--extra dev pyproject.toml --output-file requirements.lock

$(INSTALLED): requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	touch $@

clean:
	rm -rf .venv output tmp .mypy_cache .pytest_cache .ruff_cache .hypothesis
