#!/bin/sh
# A fixed number of seeded mutations; make check-long runs more.
exec "$BUILD_DIR/tests/fuzz/fuzz_npz" -n "${FUZZ_RUNS:-20000}" -s "${FUZZ_SEED:-1}" \
	"$TESTS_DIR"/fuzz/corpus/*.npy "$TESTS_DIR"/golden/containers/*.npz "$TESTS_DIR"/golden/containers/bad/*.npz
