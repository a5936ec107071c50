#!/bin/sh
# Screens on atlases that the key scripts do not have: two called alike, many features, more neighbours.
. "$TESTS_DIR/lib.sh"
copy_sample
screens() { # keys, a line each; atlases follow --
	lines=
	while [ "$1" != -- ]; do
		lines="$lines$1
"
		shift
	done
	shift
	printf '%s' "$lines" >"$tmp/keys"
	run "$FEATLAS" open --backend fake --script "$tmp/keys" "$@"
}

# the comparison calls them by what tells them apart, and says what an order cannot show
mkdir "$tmp/one" "$tmp/two"
cp -r "$atlas" "$tmp/a.atlas"
cp -r "$atlas" "$tmp/one/same.atlas"
cp -r "$atlas" "$tmp/two/same.atlas"
screens 'keys gc' wait dump 'keys s s' dump 'keys S' dump -- "$tmp/a.atlas" "$atlas"
has "the folders head the columns" "$out" '^ a\.atlas .*cosine .*sample\.atlas'
has "an order that shows nothing says so" "$out" 'no feature is split: the order is by number'
is "and reversed" "$(printf '%s\n' "$out" | grep -c 'no feature is split')" 2
screens 'keys gc' wait dump -- "$tmp/one/same.atlas" "$tmp/two/same.atlas/"
has "folders called alike: with the names above them" "$out" '^ one/same\.atlas .*cosine .*two/same\.atlas'
screens 'keys gc' wait dump -- "$atlas" "$atlas"
has "the same folder twice" "$out" '^ sample\.atlas +cosine +sample\.atlas$'
"$FEATLAS" synth "$tmp/two/narrow.atlas" --features 300 --d-model 40 --seed 3 >/dev/null
screens 'keys gc' wait dump -- "$tmp/a.atlas" "$tmp/two/narrow.atlas"
has "those that cannot be compared" "$out" "'a\.atlas' writes rows of 48 numbers and 'narrow\.atlas' of 40"

# so many that what is computed beside the screen is not there at once
"$FEATLAS" synth "$tmp/b.atlas" --labels-only --features 8000 --d-model 48 --seed 3 >/dev/null
screens hurry 'keys gc' dump 'keys <C-c>' -- "$tmp/b.atlas" "$tmp/b.atlas"
has "what is compared is called by its folder" "$out" 'comparing all features with those of b\.atlas$'
"$FEATLAS" synth "$tmp/c.atlas" --features 80000 --d-model 48 --seed 3 >/dev/null
rm -f "$tmp/c.atlas/graph.safetensors"
screens hurry 'keys gn' dump wait dump -- "$tmp/c.atlas"
has "neighbours that are not known yet are read" "$out" 'reading neighbours'
lacks "no count stands for them" "$out" '0 hops|0 nearest'
has "then they are there" "$out" '1 hop, 11 nodes'

# a drawing asks for fewer neighbours than an atlas may hold
ok "more neighbours" "$FEATLAS" neighbours "$atlas" -k 32
screens 'keys gn' dump 'keys gm' dump -- "$atlas"
has "the graph says of how many" "$out" '  24 of 32 nearest, 14 hidden'
has "the map too" "$out" '  o 16 of 32 neighbours'
finish
