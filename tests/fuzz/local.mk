# see tests/local.mk
check_PROGRAMS += tests/fuzz/fuzz_safetensors
tests_fuzz_fuzz_safetensors_SOURCES = tests/fuzz/fuzz_safetensors.c tests/fuzz/standalone.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_safetensors_LDADD = $(CORE_LIBS)
TESTS += tests/fuzz/safetensors.t
EXTRA_DIST += tests/fuzz/safetensors.t tests/fuzz/corpus
