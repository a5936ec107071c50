# Not tests: 'make bench' runs them; they print ratios to be read.
bench_programs = tests/bench/bench_core
EXTRA_PROGRAMS = $(bench_programs)
CLEANFILES += $(bench_programs)
tests_bench_bench_core_LDADD = $(CORE_LIBS)

bench: $(bench_programs)
	for p in $(bench_programs); do ./$$p || exit 1; done
.PHONY: bench
