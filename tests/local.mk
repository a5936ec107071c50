# Suites print TAP.  Unit tests are cmocka programs; the others are shell scripts.
TEST_EXTENSIONS = .t
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/tests/driver.sh $(top_srcdir)/build-aux/tap-driver.sh
T_LOG_DRIVER = $(LOG_DRIVER)
T_LOG_COMPILER = $(SHELL)
AM_TESTS_ENVIRONMENT = \
	FEATLAS='$(abs_top_builddir)/src/featlas'; export FEATLAS; \
	FEATLAS_BACKEND_DIR='$(abs_top_builddir)/src'; export FEATLAS_BACKEND_DIR; \
	TESTS_DIR='$(abs_top_srcdir)/tests'; export TESTS_DIR; \
	BUILD_DIR='$(abs_top_builddir)'; export BUILD_DIR; \
	SAMPLE='$(abs_top_builddir)/tests/sample.atlas'; export SAMPLE; \
	FEATLAS_TEST_DEMO='$(abs_top_srcdir)/share/featlas/demo.atlas'; export FEATLAS_TEST_DEMO; \
	CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT; \
	LC_ALL=C.UTF-8; export LC_ALL; \
	unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_CACHE_HOME FEATLAS_BACKEND NO_COLOR;

include tests/unit/local.mk
include tests/cli/local.mk
include tests/screen/local.mk
include tests/pty/local.mk
include tests/fuzz/local.mk
include tests/bench/local.mk

TESTS += tests/layers.t
EXTRA_DIST += tests/layers.t tests/driver.sh tests/summary.sh tests/check-long.sh
EXTRA_DIST += tests/golden/index.safetensors tests/golden/make_index.py
EXTRA_DIST += tests/golden/dose.py tests/golden/probe.py
EXTRA_DIST += tests/golden/make_map.py tests/golden/map.safetensors
EXTRA_DIST += tests/golden/make_reference.py tests/golden/reference.safetensors tests/golden/saelens

# the sample atlas: tests that write beside it work on a copy
check_PROGRAMS += tools/mksample
tools_mksample_SOURCES = tools/mksample.c src/module/fake_world.c src/module/fake_world.h
tools_mksample_LDADD = $(CORE_LIBS)
check_DATA += tests/sample.atlas/atlas.json
tests/sample.atlas/atlas.json: tools/mksample$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) tests && rm -rf tests/sample.atlas && tools/mksample$(EXEEXT) tests/sample.atlas
CLEANFILES += tests/sample.atlas/*
EXTRA_DIST += tests/golden/encode.py tests/golden/encode tests/golden/make_check.py tests/golden/make_delphi.py tests/golden/delphi tests/golden/check
EXTRA_DIST += tests/golden/neighbours.py tests/golden/neighbours.safetensors
EXTRA_DIST += tests/golden/containers.py tests/golden/containers
EXTRA_DIST += tests/golden/export.py tests/golden/export
EXTRA_DIST += tests/golden/formats.py tests/golden/formats_io.py tests/golden/formats
EXTRA_DIST += tests/golden/torch_files.py tests/golden/torch

# minutes: sanitizers, long fuzzing, random keys; in folders of their own below check-long
check-long:
	+$(SHELL) $(srcdir)/tests/check-long.sh $(srcdir) check-long CC='$(CC)' --with-llama='$(with_llama)'
clean-local:
	rm -rf check-long
.PHONY: check-long
EXTRA_DIST += tests/golden/make_imports.py tests/golden/imports
