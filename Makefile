PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
TENSORFLOW := .venv-tensorflow/.installed

.PHONY: run test test-tensorflow smoke-test lint lock bench clean

run: $(INSTALLED)  ## features of the sample clips, on stdout
	$(BIN)/python main.py feature_type=vggish checkpoint=demo file_with_video_paths=./sample/sample_video_paths.txt

test: $(INSTALLED)
	$(BIN)/python -m pytest

test-tensorflow: $(TENSORFLOW)  ## against TensorFlow itself, in an environment of its own
	.venv-tensorflow/bin/python -m pytest tests/with_tensorflow

smoke-test: $(INSTALLED)  ## are the weights VGGish's, by Google's published figures?
	$(BIN)/python -m models.vggish.smoke_test

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED)  ## against the plain loop; PARTS="clips network startup workers resume hour"
	$(BIN)/python -m benchmarks.bench $(PARTS)

lock: $(INSTALLED)  ## pin what pyproject.toml asks for, for all supported Pythons
	$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-header --no-annotate --no-emit-index-url \
		--extra dev --extra map pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-header --no-annotate --no-emit-index-url \
		--constraint requirements.lock tests/with_tensorflow/requirements.in \
		--output-file tests/with_tensorflow/requirements.lock

$(TENSORFLOW): tests/with_tensorflow/requirements.lock
$(INSTALLED) $(TENSORFLOW): requirements.lock
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet uv
	$(@D)/bin/uv pip install --quiet --python $(@D)/bin/python $(^:%=-r %)
	touch $@

clean:
	rm -rf .venv .venv-tensorflow output tmp .mypy_cache .pytest_cache .ruff_cache .hypothesis
