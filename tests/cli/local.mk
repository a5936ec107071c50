# see tests/local.mk; TAP in shell, with tests/lib.sh
TESTS += tests/cli/export.t tests/cli/label.t tests/cli/search.t tests/cli/show.t
EXTRA_DIST += tests/lib.sh tests/cli/export.t tests/cli/label.t tests/cli/search.t tests/cli/show.t
# see tests/local.mk
TESTS += tests/cli/info.t tests/cli/verify.t
EXTRA_DIST += tests/cli/info.t tests/cli/verify.t
TESTS += tests/cli/llama.t
EXTRA_DIST += tests/cli/llama.t
# see tests/local.mk; TAP in shell, with tests/lib.sh; one suite a line, sorted
cli_suites = \
tests/cli/export.t \
tests/cli/index.t \
tests/cli/info.t \
tests/cli/label.t \
tests/cli/manual.t \
tests/cli/search.t \
tests/cli/show.t \
tests/cli/verify.t
TESTS += $(cli_suites)
EXTRA_DIST += tests/lib.sh $(cli_suites)
check_PROGRAMS += tests/cli/tool
tests_cli_tool_LDADD = $(CORE_LIBS)
TESTS += tests/cli/encode.t tests/cli/train.t
EXTRA_DIST += tests/cli/encode.t tests/cli/train.t
