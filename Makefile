PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
TESTABLE := .venv/.testable
TYPED := .mypy_cache/as_installed
DOCS := .venv-docs/.installed
TENSORFLOW := .venv-tensorflow/.installed
RAY := .venv-ray/.installed
EXTRAS := $(addprefix --extra ,atlas dev evaluation hdf5 map s3 tensorboard umap webdataset)
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-header --no-annotate --no-emit-index-url

SIZE = on Linux some 6 GB, most of it CUDA's libraries; without a GPU 1.7 GB: UV_TORCH_BACKEND=cpu make $(MAKECMDGOALS)

.PHONY: run test fuzz test-cpus test-tensorflow test-ray soak docs smoke-test lint as-installed lock bench clean

run: $(INSTALLED)  ## features of the sample clips, on stdout
	$(BIN)/python main.py feature_type=vggish checkpoint=demo file_with_video_paths=./sample/sample_video_paths.txt

test: $(TESTABLE)  ## several files of tests at a time
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

fuzz: $(TESTABLE)  ## two minutes of damaged media, compared with FFmpeg's decoding, and of strange lists and command lines
	MUTANTS=0-5000 $(BIN)/python -m pytest --hypothesis-profile=fuzz tests/hostile

test-cpus: $(TESTABLE)  ## the numerical tests again, as older processors compute them
	ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 $(BIN)/python -m pytest -m numerical
	ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 $(BIN)/python -m pytest -m numerical

test-tensorflow: $(TENSORFLOW)  ## against TensorFlow itself, in an environment of its own
	.venv-tensorflow/bin/python -m pytest tests/with_tensorflow

test-ray: $(RAY)  ## on a cluster of three nodes on this machine, in an environment of its own
	.venv-ray/bin/python -m pytest tests/with_ray

soak: $(TESTABLE)  ## random faults against random media, for fifteen minutes; SOAK="--minutes 1"
	PYTHONPATH=.:tests:tests/engines:tests/sinks $(BIN)/python tests/faults/soak.py $(SOAK)

smoke-test: $(INSTALLED)  ## are the weights VGGish's, by Google's published figures?
	$(BIN)/python -m torch_zoo.models.vggish.smoke_test

docs: $(DOCS) as-installed  ## the site, in site/, by an environment of its own
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/python -m mkdocs build --strict
	.venv-docs/bin/python -m pytest --confcutdir tests/with_mkdocs tests/with_mkdocs

lint: $(TESTABLE) as-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=$(TYPED) $(BIN)/mypy -p torch_zoo -p sample -p benchmarks -m hubconf

as-installed:  # the package as a wheel has it, for tools that read code without running it
	mkdir -p $(TYPED)/torch_zoo
	for name in main.py configs models utils torch_zoo/__init__.py; do ln -sfn $(CURDIR)/$$name $(TYPED)/torch_zoo; done

bench: $(TESTABLE)  ## against the plain loop; PARTS="clips network startup workers resume hour"
	$(BIN)/python -m benchmarks.bench $(PARTS)

lock: $(INSTALLED)  ## pin what pyproject.toml asks for, for all supported Pythons
	$(COMPILE) $(EXTRAS) pyproject.toml --output-file tests/requirements.lock
	$(COMPILE) --constraint tests/requirements.lock pyproject.toml --output-file requirements.lock
	set -e; for name in tensorflow ray mkdocs; do $(COMPILE) --constraint requirements.lock tests/with_$$name/requirements.in \
		--output-file tests/with_$$name/requirements.lock; done

$(TENSORFLOW): tests/with_tensorflow/requirements.lock
$(RAY): tests/with_ray/requirements.lock
$(DOCS): tests/with_mkdocs/requirements.lock
$(INSTALLED) $(TENSORFLOW) $(RAY): requirements.lock
$(INSTALLED) $(TENSORFLOW) $(RAY) $(DOCS):
	@echo "installing packages into $(@D), as pinned in $^"
	@$(if $(filter requirements.lock,$^),echo "$(SIZE)")
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet uv
	$(@D)/bin/uv pip install --quiet --python $(@D)/bin/python $(if $(filter requirements.lock,$^),-r pyproject.toml) \
		$(patsubst %.lock,-r %.in,$(filter tests/%,$^)) $(^:%=--constraint %)
	touch $@

$(TESTABLE): tests/requirements.lock $(INSTALLED)
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r pyproject.toml $(EXTRAS) --constraint $<
	touch $@

clean:
	rm -rf .venv .venv-tensorflow .venv-ray .venv-docs site output tmp .mypy_cache .pytest_cache .ruff_cache .hypothesis
