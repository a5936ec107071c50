#!/bin/sh
# A fixed number of seeded mutations; make check-long runs more.
exec "$BUILD_DIR/tests/fuzz/fuzz_jsonl" -n "${FUZZ_RUNS:-4000}" -s "${FUZZ_SEED:-1}" "$TESTS_DIR"/fuzz/corpus/*.jsonl
