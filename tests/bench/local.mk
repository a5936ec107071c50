# Not tests: 'make bench' runs them; what they print is to be read.
bench_programs = tests/bench/bench_open tests/bench/bench_core tests/bench/bench_demo tests/bench/bench_keys \
	tests/bench/bench_numbers tests/bench/bench_search
EXTRA_PROGRAMS = $(bench_programs)
CLEANFILES += $(bench_programs)
EXTRA_DIST += docs/scale.md docs/map.md tests/bench/run tests/bench/bench_import.py tests/bench/make_export.py tests/bench/peers.py docs/benchmarks.md
tests_bench_bench_core_LDADD = $(CORE_LIBS)
tests_bench_bench_numbers_LDADD = $(CORE_LIBS)
tests_bench_bench_search_LDADD = $(CORE_LIBS)
tests_bench_bench_demo_LDADD = $(SESSION_LIBS)
tests_bench_bench_open_SOURCES = tests/bench/bench_open.c tests/sparse_npz.c tests/sparse_npz.h
tests_bench_bench_open_LDADD = $(IO_LIBS)
tests_bench_bench_keys_SOURCES = tests/bench/bench_keys.c tests/bench/made_up.c tests/bench/made_up.h
tests_bench_bench_keys_LDADD = $(CORE_LIBS) -lutil

BENCH_ATLAS = tests/sample.atlas
bench: all $(check_DATA) $(bench_programs)
	$(srcdir)/tests/bench/run $(builddir) $(BENCH_ATLAS)
.PHONY: bench
