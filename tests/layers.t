#!/bin/sh
# Layers include only downwards, and each heavy dependency stays in its one file.
src=${TESTS_DIR:-$(dirname "$0")}/../src
n=0 bad=0
check() { # name, offending lines
	n=$((n + 1))
	if [ -z "$2" ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; echo "$2" | sed 's/^/# /'; bad=1; fi
}
# layer: what it may include, itself among it
for rule in "base:base" "io:base io" "core:base io core" "backend:base io core backend" \
	"session:base io core backend session" "module:base io core module" "ui:base ui" \
	"view:base io core backend session ui view" "cmd:base io core backend session cmd"; do
	layer=${rule%%:*} may=$(echo "${rule#*:}" | tr ' ' '|')
	check "$layer includes only downwards" \
		"$(grep -rnE '^#include "[a-z]+/' "$src/$layer" 2>/dev/null | grep -vE "#include \"($may)/")"
done
only() { # header pattern, the files that may
	check "<$1> only in $2" "$(grep -rnE "^#include [<\"]$1" "$src" | grep -vE "/($2):")"
}
only 'n?curses' 'ui/term\.c'
only 'pcre2' 'core/regex\.c'
only 'sqlite3' 'core/db\.c'
only 'cblas|openblas' 'core/blas\.c'
only 'utf8proc' 'base/utf8\.c'
only 'jansson' 'base/json\.h'
only '(zlib|minizip|unzip|zip)\.h' 'io/zip\.c|io/gzip\.c'
only 'minizip/' 'io/zip\.c'
only 'yajl' 'io/jstream\.c'
only 'curl/' 'io/http\.c'
only 'mpi\.h' 'core/ranks\.c'
only 'sha2' 'base/sha256\.c'
only '(llama|ggml)' 'module/module_llama\.c'
prints='\b(exit|abort|printf|vprintf|puts|putchar|perror)\(|[(, ]std(out|err)[,)]'
# out of memory and a file that shrinks under its mapping end the program; the terminal is written by its one file;
# what a key script dumps is the program's output
check "nothing below cmd exits or prints" \
	"$(grep -rnE "$prints" "$src/base" "$src/io" "$src/core" "$src/backend" "$src/session" "$src/ui" "$src/view" --include=*.c |
		grep -vE '^[^:]*:[0-9]+: \* |/(base/(mem|mapfile)|ui/term|view/app_script)\.c:')"
echo "1..$n"
exit $bad
