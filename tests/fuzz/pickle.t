#!/bin/sh
# A fixed number of seeded mutations; make check-long runs more.
exec "$BUILD_DIR/tests/fuzz/fuzz_pickle" -n "${FUZZ_RUNS:-20000}" -s "${FUZZ_SEED:-1}" \
	"$TESTS_DIR"/fuzz/corpus/*.pkl
