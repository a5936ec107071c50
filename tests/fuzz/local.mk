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
check_PROGRAMS += tests/fuzz/fuzz_npz tests/fuzz/fuzz_pickle
tests_fuzz_fuzz_npz_SOURCES = tests/fuzz/fuzz_npz.c tests/fuzz/standalone.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_npz_LDADD = $(IO_LIBS)
tests_fuzz_fuzz_pickle_SOURCES = tests/fuzz/fuzz_pickle.c tests/fuzz/standalone.c tests/fuzz/fuzz.h
tests_fuzz_fuzz_pickle_LDADD = $(IO_LIBS)
TESTS += tests/fuzz/npz.t tests/fuzz/pickle.t
EXTRA_DIST += tests/fuzz/npz.t tests/fuzz/pickle.t
