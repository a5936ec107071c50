#!/bin/sh
# index and neighbours by several processes: the files are those of one.
. "$TESTS_DIR/lib.sh"
[ -x "$FEATLAS_BACKEND_DIR/featlas-mpi" ] || bail "built without MPI"
command -v mpirun >/dev/null || bail "no mpirun: apt-get install openmpi-bin"
mksample=$BUILD_DIR/tools/mksample
"$mksample" "$tmp/one.atlas" "$tmp/t.acts" || exit 99
cp -r "$tmp/one.atlas" "$tmp/many.atlas"
OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_btl=self,vader
OMPI_MCA_plm_rsh_agent=sh FEATLAS_THREADS=1
export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM OMPI_MCA_rmaps_base_oversubscribe OMPI_MCA_btl
export OMPI_MCA_plm_rsh_agent FEATLAS_THREADS
# what MPI itself leaves behind at the end is not ours
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS
mpirun -n 1 true >"$tmp/mpirun.out" 2>&1 || bail "mpirun does not work here: $(head -1 "$tmp/mpirun.out")"

# what comes after a file's header, in which the build's own id stands
same_data() { # file, file
	a=$(($(od -An -t u8 -N 8 "$1") + 8)) b=$(($(od -An -t u8 -N 8 "$2") + 8))
	[ "$(wc -c <"$1")" -gt "$a" ] && cmp -i "$a:$b" "$1" "$2"
}
check "index by one" 0 "$FEATLAS" index "$tmp/one.atlas" "$tmp/t.acts" --only store --json
one=$out
for n in 2 3; do
	check "index by $n" 0 mpirun -n $n "$FEATLAS" index "$tmp/many.atlas" "$tmp/t.acts" --only store --json
	is "reports the same" "$out" "$one"
	ok "and writes the same store" same_data "$tmp/one.atlas/activations.safetensors" "$tmp/many.atlas/activations.safetensors"
done
check "neighbours by one" 0 "$FEATLAS" neighbours "$tmp/one.atlas" -k 7
check "neighbours by 3" 0 mpirun -n 3 "$FEATLAS" neighbours "$tmp/many.atlas" -k 7
ok "writes the same graph" same_data "$tmp/one.atlas/graph.safetensors" "$tmp/many.atlas/graph.safetensors"
check "nothing is wrong with it" 0 "$FEATLAS" verify "$tmp/many.atlas"

run mpirun -n 2 "$FEATLAS" index "$tmp/many.atlas" "$tmp/none.acts" --only store
ok "what one cannot open ends all" [ "$status" -ne 0 ]
has "with the reason" "$err" "none.acts"
run mpirun -n 2 "$FEATLAS" search "$tmp/many.atlas" bridge
ok "other commands are refused" [ "$status" -ne 0 ]
has "with a sentence" "$err" "featlas: several processes share the work of index and neighbours only"
mkdir "$tmp/bare" && cp "$FEATLAS" "$tmp/bare/featlas"
FEATLAS_BACKEND_DIR=$tmp/bare OMPI_COMM_WORLD_SIZE=2 run "$tmp/bare/featlas" neighbours "$tmp/many.atlas"
case $status in 0) : ;; *) has "a program without MPI says so" "$err" "there is no featlas-mpi|does not start" ;; esac
finish
