#!/bin/sh
# check-long.sh SOURCE BUILD [CONFIGURE OPTION ...]: what takes longer than make check.
# Every suite with AddressSanitizer and UndefinedBehaviorSanitizer, fuzzing and keys at random for
# long, and what runs on several threads with ThreadSanitizer.  A line a stage, with its seconds; a
# stage fails if its command does, or if any program it ran, a module too, left a sanitizer's report.
#	FUZZ_RUNS   mutations for each fuzz target (1000000)
#	SEEDS       random key scripts ("1 2 ... 100")
#	KEYS        lines of each (1000)
#	STAGES      some stages only: asan suites fuzz keys tsan threads
#	JOBS        for make (one a core)
source=$(cd "$1" && pwd) build=$2
shift 2
mkdir -p "$build" && build=$(cd "$build" && pwd) || exit 2
: "${STAGES:=asan suites fuzz keys tsan threads}" "${JOBS:=$(getconf _NPROCESSORS_ONLN)}"
many_seeds=$(seq -s ' ' 100)
unset MAKEFLAGS MFLAGS MAKELEVEL
failed=0

# A report ends a program with a status that no command has, and is kept in a file of its own.
san="exitcode=99 log_path=$build/report"
ASAN_OPTIONS=$(echo "$san detect_leaks=1 allocator_may_return_null=1 detect_stack_use_after_return=1" | tr ' ' :)
UBSAN_OPTIONS=$(echo "$san print_stacktrace=1" | tr ' ' :)
TSAN_OPTIONS=$(echo "$san second_deadlock_stack=1" | tr ' ' :)
FEATLAS_SLOW=1 SUITE_SECONDS=3600
export ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS FEATLAS_SLOW SUITE_SECONDS

stage() { # name, command...
	name=$1
	shift
	case " $STAGES " in *" $name "*) ;; *) return 0 ;; esac
	rm -f "$build"/report.*
	start=$(date +%s) result=ok
	"$@" >"$build/$name.log" 2>&1 || result=failed
	for report in "$build"/report.*; do
		[ -e "$report" ] || continue
		result=failed
		cat "$report" >>"$build/$name.log"
	done
	printf '%-8s %-6s %5d s\n' "$name" "$result" $(($(date +%s) - start))
	[ "$result" = ok ] && return 0
	failed=$((failed + 1))
	grep -E '^(FAIL|ERROR|SUMMARY)|error:|\*\*\*' "$build/$name.log" | sort | uniq -c | head -40
	echo "all of it is in $build/$name.log"
	return 1
}

make_in() { # folder, configure options...: everything built, the test programs too
	mkdir -p "$build/$1" && cd "$build/$1" || return 1
	shift
	"$source/configure" -q "$@" && make -s -j "$JOBS" && make -s -j "$JOBS" check TESTS=
}

check_in() { # folder, variables of make...
	cd "$build/$1" || return 1
	shift
	make -s -j "$JOBS" check "$@"
}

stage asan make_in asan "$@" --enable-asan --enable-ubsan
stage suites check_in asan
FUZZ_RUNS=${FUZZ_RUNS:-1000000} SEEDS=${SEEDS:-$many_seeds} KEYS=${KEYS:-1000} LIMIT=3600
export FUZZ_RUNS SEEDS KEYS LIMIT
stage fuzz check_in asan TESTS='tests/fuzz/safetensors.t tests/fuzz/npz.t tests/fuzz/pickle.t tests/fuzz/frame.t tests/fuzz/jsonl.t'
stage keys check_in asan TESTS=tests/screen/random.t
SEEDS='1 2 3' KEYS=300 FEATLAS_THREADS=4 OPENBLAS_NUM_THREADS=1
export FEATLAS_THREADS OPENBLAS_NUM_THREADS
stage tsan make_in tsan "$@" --enable-tsan
stage threads check_in tsan TESTS='tests/unit/test_base tests/unit/test_tensors tests/unit/test_search
 tests/unit/test_query tests/unit/test_knn tests/unit/test_index
 tests/unit/test_train tests/unit/test_rpc tests/unit/test_steer
 tests/cli/search.t tests/cli/near.t tests/cli/steer.t tests/screen/run.t
 tests/screen/random.t'
[ "$failed" = 0 ] || { echo "check-long: $failed stages failed"; exit 1; }
echo "check-long: all stages passed"
