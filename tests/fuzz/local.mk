# see tests/local.mk
check_PROGRAMS += tests/fuzz/fuzz_safetensors
tests_fuzz_fuzz_safetensors_SOURCES = tests/fuzz/fuzz_safetensors.c tests/fuzz/standalone.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_safetensors_LDADD = $(CORE_LIBS)
TESTS += tests/fuzz/safetensors.t
EXTRA_DIST += tests/fuzz/safetensors.t tests/fuzz/corpus
check_PROGRAMS += tests/fuzz/fuzz_frame
tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz_frame.c tests/fuzz/standalone.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_frame_LDADD = $(IO_LIBS)
TESTS += tests/fuzz/frame.t
EXTRA_DIST += tests/fuzz/frame.t
