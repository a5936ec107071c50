/* SPDX-License-Identifier: MIT */
/* synth_words.c - the vocabulary of made-up labels, and the phrases made of it. */
#include "core/synth_impl.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

/* Commoner words first. */
static const char *const words[] = {
	"time", "people", "language", "code", "number", "water", "city", "work", "law", "music", "war", "money",
	"health", "food", "school", "river", "house", "family", "government", "history", "science", "animal",
	"body", "color", "price", "road", "light", "sound", "letter", "name", "date", "function", "error",
	"market", "church", "game", "film", "book", "cloud", "tree", "stone", "fire", "weather", "season",
	"travel", "machine", "engine", "signal", "network", "memory", "data", "table", "list", "string",
	"variable", "loop", "server", "file", "test", "module", "patient", "doctor", "disease", "blood",
	"heart", "brain", "cell", "protein", "gene", "virus", "drug", "cancer", "surgery", "pain", "sleep",
	"exercise", "diet", "kitchen", "bread", "wine", "coffee", "sugar", "salt", "fruit", "meat", "fish",
	"bird", "horse", "dog", "insect", "forest", "mountain", "desert", "ocean", "island", "coast", "bridge",
	"harbor", "ship", "train", "aircraft", "vehicle", "bicycle", "street", "village", "castle", "temple",
	"museum", "library", "university", "student", "teacher", "lesson", "exam", "theory", "proof",
	"equation", "matrix", "vector", "angle", "curve", "surface", "volume", "mass", "energy", "force",
	"speed", "heat", "pressure", "wave", "particle", "atom", "molecule", "acid", "metal", "crystal",
	"glass", "plastic", "cotton", "silk", "leather", "paper", "ink", "paint", "canvas", "sculpture",
	"dance", "theater", "opera", "song", "rhythm", "melody", "guitar", "piano", "violin", "drum",
	"poetry", "novel", "chapter", "verse", "metaphor", "grammar", "verb", "noun", "pronoun", "comma",
	"bracket", "quotation", "sentence", "paragraph", "headline", "newspaper", "journalist", "interview",
	"election", "parliament", "minister", "president", "treaty", "border", "army", "soldier", "weapon",
	"battle", "siege", "revolution", "empire", "kingdom", "colony", "slavery", "justice", "court", "judge",
	"lawyer", "crime", "prison", "police", "contract", "property", "insurance", "tax", "bank", "loan",
	"interest", "stock", "bond", "trade", "export", "tariff", "factory", "worker", "wage", "union",
	"strike", "farm", "harvest", "wheat", "rice", "cattle", "soil", "rain", "storm", "flood", "drought",
	"earthquake", "volcano", "glacier", "climate", "planet", "moon", "star", "galaxy", "telescope",
	"rocket", "satellite", "orbit", "gravity", "physics", "chemistry", "physician", "physical", "physique",
	"medicine", "nursing", "hospital", "vaccine", "symptom", "fever", "allergy", "injury", "muscle", "bone",
	"skin", "eye", "ear", "voice", "breath", "hunger", "fear", "anger", "joy", "grief", "love", "friendship",
	"marriage", "childhood", "birth", "death", "funeral", "prayer", "ritual", "prophet", "angel", "myth",
	"legend", "dragon", "wizard", "ghost", "dream", "color red", "color blue", "silver", "gold", "diamond",
	"jewelry", "fashion", "uniform", "costume", "furniture", "garden", "flower", "rose", "lawn", "fence",
	"roof", "window", "door", "key", "lock", "password", "token", "certificate", "encryption", "protocol",
	"packet", "router", "browser", "cookie", "script", "compiler", "pointer", "thread", "mutex", "stack",
	"queue", "graph", "index", "query", "schema", "transaction", "backup", "license", "copyright", "patent",
	"trademark", "brand", "customer", "invoice", "warehouse", "logistics", "pipeline", "refinery", "coal",
	"uranium", "reactor", "turbine", "battery", "circuit", "transistor", "laser", "lens", "camera",
	"photograph", "portrait", "landscape", "perspective", "symmetry", "parabola", "polygon",
	"theorem", "lemma", "integral", "derivative", "probability", "sample", "variance", "regression",
	"hypothesis", "experiment", "microscope", "bacteria", "fungus", "enzyme", "hormone", "neuron",
	"synapse", "retina", "kidney", "liver", "lung", "stomach", "tooth", "dentist", "pharmacy", "tablet",
	"chess", "football", "tennis", "swimming", "marathon", "medal", "referee", "stadium", "lottery",
	"puzzle", "riddle", "joke", "satire", "irony", "rumor", "gossip", "apology", "promise", "threat",
	"warning", "advice", "recipe", "measurement", "ounce", "kilometer", "decade", "century", "midnight",
	"Tuesday", "November", "Paris", "London", "Tokyo", "Berlin", "Cairo", "Boston", "Chicago", "Amazon",
	"Danube", "Himalaya", "Atlantic", "Sahara", "Bible", "Quran", "Buddha", "Shakespeare", "Mozart",
	"Einstein", "Newton", "Darwin", "Napoleon", "Cleopatra", "Aristotle", "Latin", "Arabic", "Spanish",
	"Mandarin", "Hindi", "Swahili", "Python", "JavaScript", "Fortran", "LaTeX", "HTML", "JSON", "regex",
};

/* Rarer ones: a beginning and an end. */
static const char *const begins[] = {
	"bio", "geo", "hydro", "photo", "thermo", "electro", "psycho", "socio", "neuro", "cardio", "micro",
	"macro", "astro", "archaeo", "anthropo", "crypto", "patho", "physio", "immuno", "onco", "dermato",
	"ethno", "cosmo", "chrono", "mytho", "ideo", "theo", "techno", "typo", "topo", "eco", "eto", "myco",
	"litho", "phono", "steno", "icono", "carto", "biblio", "disco", "choreo", "demo", "agro", "aero",
};
static const char *const ends[] = {
	"logy", "graphy", "metry", "nomy", "sphere", "scope", "gram", "phile", "genesis", "therapy", "chemistry",
	"physics", "logical", "graphic", "metric", "static", "dynamic", "tropic", "genic", "logist", "grapher",
	"crat", "cracy", "mancy",
};
static const char *const adjectives[] = {
	"small", "old", "new", "large", "public", "early", "foreign", "local", "modern", "ancient", "military",
	"legal", "medical", "scientific", "religious", "political", "economic", "technical", "formal", "casual",
	"fictional", "historical", "seasonal", "urban", "rural", "broken", "missing", "repeated", "numerical",
	"negative", "positive", "emotional", "abstract", "concrete", "southern", "northern", "French", "Chinese",
	"Roman", "medieval", "digital", "electrical", "chemical", "botanical", "unusual", "dangerous", "cheap",
	"expensive", "fast", "slow", "warm", "frozen", "hidden", "official", "personal", "shared", "sudden",
};
/* Twice means twice as often. */
static const char *const templates[] = {
	"references to ", "references to ", "mentions of ", "terms related to ", "words and phrases about ",
	"text about ", "phrases indicating ", "discussion of ", "names of ", "code involving ", "the word ",
	"descriptions of ", "questions about ", "instances of ", "", "", "tokens that follow ",
	"the beginning of ", "sentences comparing ", "numerical values in ", "legal language on ",
	"instructions for ", "metaphors from ", "lists of ",
};
static const char *const foreign[] = {
	"caf\xc3\xa9", "na\xc3\xafve", "se\xc3\xb1or", "\xc3\xbc" "ber", "fianc\xc3\xa9" "e", "fa\xc3\xa7" "ade",
	"\xc5\x82\xc3\xb3" "d\xc5\xba", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "\xe2\x80\x9cquoted\xe2\x80\x9d",
	"\xd0\x9c\xd0\xbe\xd1\x81\xd0\xba\xd0\xb2\xd0\xb0", "\xce\xbb\xcf\x8c\xce\xb3\xce\xbf\xcf\x82",
	"\xf0\x9f\x8c\x8d", "\xed\x95\x9c\xea\xb5\xad", "smorg\xc3\xa5sbord",
};
static const char *const syllables[] = {
	"ka", "vo", "rim", "tel", "su", "ran", "do", "mi", "lo", "gen", "bar", "ex", "ul", "ta", "ni", "quo",
	"shi", "or", "pel", "wen", "zu", "fa", "dri", "mo",
};

enum {
	N_LISTED = ARRAY_LEN(words),
	N_PAIRS = ARRAY_LEN(begins) * ARRAY_LEN(ends),
	N_TRIPLES = 24000, /* two beginnings and an end */
	N_WORDS = N_LISTED + N_PAIRS + N_TRIPLES,
	ZIPF_STEPS = 1024,
};

u32 synth_n_words(void)
{
	return N_WORDS;
}

size_t synth_word(u32 i, char out[32])
{
	const char *part[3] = {"", "", ""};
	if (i < N_LISTED) {
		part[0] = words[i];
	} else if (i == N_WORDS - 1) {
		part[0] = "hyperbola"; /* a common search for something rare */
	} else {
		u32 x = (i - N_LISTED) % N_PAIRS * 701 % N_PAIRS; /* 701 shares no factor with it: all are met */
		part[0] = begins[x % ARRAY_LEN(begins)];
		part[2] = ends[x / ARRAY_LEN(begins)];
		if (i >= N_LISTED + N_PAIRS)
			part[1] = begins[(x + (i - N_LISTED) / N_PAIRS) % ARRAY_LEN(begins)];
	}
	size_t n = 0;
	for (int k = 0; k < 3; k++) {
		size_t m = strlen(part[k]);
		memcpy(out + n, part[k], m);
		n += m;
	}
	return n;
}

static f32 zipf[ZIPF_STEPS + 1];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A frequency of 1 over the rank makes ranks uniform in their logarithm. */
static void make_zipf(void)
{
	for (int i = 0; i <= ZIPF_STEPS; i++)
		zipf[i] = (f32)exp(i * log(N_WORDS + 1.0) / ZIPF_STEPS);
}

u32 synth_zipf(u64 r)
{
	pthread_once(&once, make_zipf);
	u64 at = r >> 54;
	f32 part = (f32)(r >> 30 & 0xffffff) * 0x1p-24f;
	return MIN((u32)(zipf[at] + (zipf[at + 1] - zipf[at]) * part) - 1, (u32)N_WORDS - 1);
}

struct text {
	char *s;
	size_t n;
};

static void add(struct text *t, const char *s, size_t n)
{
	if (n > SYNTH_LABEL_MAX - t->n)
		return;
	memcpy(t->s + t->n, s, n);
	t->n += n;
}

static void adds(struct text *t, const char *s)
{
	add(t, s, strlen(s));
}

static void add_word(struct text *t, u32 i)
{
	char word[32];
	add(t, word, synth_word(i, word));
}

/* A name that hardly another label has. */
static void add_name(struct text *t, struct draw *d)
{
	size_t from = t->n;
	for (u32 i = 2 + draw_below(d, 2); i; i--)
		adds(t, syllables[draw_below(d, ARRAY_LEN(syllables))]);
	if (t->n > from)
		t->s[from] = (char)(t->s[from] - 'a' + 'A');
}

static void add_any(struct text *t, struct draw *d)
{
	u64 r = draw(d);
	if (r % 32 == 0)
		add_name(t, d);
	else
		add_word(t, synth_zipf(r));
}

static void add_adjective(struct text *t, struct draw *d)
{
	adds(t, adjectives[draw_below(d, ARRAY_LEN(adjectives))]);
	adds(t, " ");
}

/* In each form: t the topic, w any word, a an adjective, anything else itself. */
static const char *const forms[] = {
	"t and w", "at", "t in w", "at of w", "w t", "aw and t", "'t' before w", "t, w and aw",
};

size_t synth_label(u64 seed, u32 n_features, u32 feature, char out[SYNTH_LABEL_MAX])
{
	struct draw d = {seed ^ 0x1abe1u, (u64)feature * 32};
	struct text t = {out, 0};
	u32 topic = synth_zipf(rand_u64(seed ^ 0x70u, synth_cluster(seed, n_features, feature)));
	adds(&t, templates[draw_below(&d, ARRAY_LEN(templates))]);
	u32 extra = draw_below(&d, 50);
	for (const char *f = forms[draw_below(&d, ARRAY_LEN(forms))]; *f; f++) {
		bool alone = f[1] == 0 || strchr(" ,'tw", f[1]);
		if (*f == 't' && alone)
			add_word(&t, topic);
		else if (*f == 'w' && alone)
			add_any(&t, &d);
		else if (*f == 'a' && (f[1] == 't' || f[1] == 'w'))
			add_adjective(&t, &d);
		else
			add(&t, f, 1);
	}
	if (!extra) {
		adds(&t, " ");
		adds(&t, foreign[draw_below(&d, ARRAY_LEN(foreign))]);
	}
	if (draw_below(&d, 8) == 0 && t.n && out[0] >= 'a' && out[0] <= 'z')
		out[0] = (char)(out[0] - 'a' + 'A');
	return t.n;
}
