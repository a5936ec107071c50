# see tests/local.mk; TAP in shell, with tests/lib.sh; one suite a line, sorted
cli_suites = \
tests/cli/backend.t \
tests/cli/badinput.t \
tests/cli/check.t \
tests/cli/concepts.t \
tests/cli/config.t \
tests/cli/conformance.t \
tests/cli/delphi.t \
tests/cli/demos.t \
tests/cli/dict.t \
tests/cli/diff.t \
tests/cli/effects.t \
tests/cli/encode.t \
tests/cli/export.t \
tests/cli/faults.t \
tests/cli/find.t \
tests/cli/formats-bad.t \
tests/cli/formats.t \
tests/cli/harvest.t \
tests/cli/import.t \
tests/cli/index.t \
tests/cli/info.t \
tests/cli/judge.t \
tests/cli/label.t \
tests/cli/lens.t \
tests/cli/llama.t \
tests/cli/manual.t \
tests/cli/map.t \
tests/cli/mpi.t \
tests/cli/near.t \
tests/cli/quiz.t \
tests/cli/runs.t \
tests/cli/scores.t \
tests/cli/search.t \
tests/cli/show.t \
tests/cli/steer.t \
tests/cli/stories.t \
tests/cli/sweep.t \
tests/cli/synth.t \
tests/cli/text.t \
tests/cli/train.t \
tests/cli/verify.t
TESTS += $(cli_suites)
EXTRA_DIST += tests/lib.sh tests/cli/chat_server.py $(cli_suites)
EXTRA_DIST += tests/lib.sh tests/cli/concepts.py $(cli_suites)

# preloaded, so that calls fail
check_DATA = tests/fault.so
tests/fault.so: tests/fault.c
	$(AM_V_CC)$(MKDIR_P) tests && $(CC) -shared -fPIC -O1 -o $@ $(srcdir)/tests/fault.c -ldl
CLEANFILES += tests/fault.so
EXTRA_DIST += tests/fault.c

check_PROGRAMS += tests/cli/tool
tests_cli_tool_LDADD = $(CORE_LIBS)
check_PROGRAMS += tests/conformance
tests_conformance_LDADD = $(BACKEND_LIBS)
