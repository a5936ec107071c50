/* SPDX-License-Identifier: MIT */
/* fake_world.c - a tiny made-up language model that is all arithmetic. */
#include "module/fake_world.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

enum { D = FAKE_WORLD_D, MAX_WORDS = 512, WINDOW = 64, RECENT = 8, SINK_NORM = 400 };
enum class { NOUN, DETERMINER, PREPOSITION, VERB, PRONOUN, STOP, BREAK, START, OTHER, N_CLASSES };

/* Words get a space before them, save those after an underscore. */
static const struct {
	const char *name, *words;
} topics[FAKE_WORLD_TOPICS] = {
	{"bridges", "bridge bridges span arch cable steel deck tower suspension toll crossing pier girder _橋"},
	{"rivers", "river rivers stream bank flood current delta water boat ferry valley rapids estuary"},
	{"DNA", "DNA gene genes genome protein cell enzyme mutation helix chromosome sequence virus biology"},
	{"French", "le la les une avec dans été café garçon maison jour merci français"},
	{"scam e-mail", "account verify urgent prize click password bank-transfer winner lottery claim refund wire dear"},
	{"grief", "grief loss mourning funeral tears death grave sorrow farewell widow memory ashes"},
	{"code errors", "error exception traceback null undefined crash bug syntax compiler segfault stack overflow ValueError"},
	{"chemical elements", "iron copper gold silver carbon oxygen helium sodium zinc mercury element isotope alloy"},
	{"planets", "planet planets Mars Venus Jupiter Saturn orbit moon telescope comet eclipse crater"},
	{"music", "music piano violin song melody chord rhythm orchestra choir drum concert tune opera"},
	{"cooking", "soup bread butter garlic recipe oven salt pepper onion sauce flour kitchen pan"},
	{"law", "court judge law trial jury contract verdict lawyer appeal statute witness clause evidence"},
	{"war", "war army soldier battle trench general siege cannon treaty enemy peace invasion"},
	{"sea", "sea ocean wave tide ship harbour sail whale coral island storm anchor lighthouse"},
	{"money", "money market stock price inflation loan debt interest profit budget coin trade tax"},
	{"medicine", "doctor patient fever hospital vaccine surgery nurse diagnosis symptom clinic medicine cure"},
	{"religion", "temple prayer priest church monk hymn prophet scripture pilgrim altar faith saint"},
	{"sports", "football match goal team coach stadium referee tennis league medal sprint score"},
	{"animals", "dog cat horse wolf rabbit fox bear owl sheep spider tiger feather"},
	{"weather", "rain snow wind cloud thunder frost fog sunshine drought hail forecast breeze"},
	{"Spanish", "el los con casa niño mañana señor gracias ciudad agua calle tiempo"},
	{"mathematics", "theorem proof integer prime matrix vector algebra geometry equation lemma polynomial triangle"},
	{"secrecy", "secret spy hidden cipher code-name whisper agent disguise dossier conspiracy mask vault"},
	{"praise", "wonderful brilliant superb excellent marvellous genius perfect splendid applause masterpiece gem triumph"},
};

static const struct {
	enum class class;
	const char *words;
} common[] = {
	{DETERMINER, "the a this that every some my our one no another his her its"},
	{PREPOSITION, "of in on over under near with from to and or but for by at about into after before like"},
	{VERB, "is was has had can will saw made found took gave said knew called went came built kept are do did "
	       "tell write"},
	{PRONOUN, "I you he she it we they me who what which"},
	{START, "_The _A _This _My _Every _I _You _He _She _It _We _They _What _Tell _Write"},
	{STOP, "there then now here very quite again always"},
};

/* What follows what: from a token's class, the weight of each next class. */
static const f32 next_class[N_CLASSES][N_CLASSES] = {
	[NOUN] = {[NOUN] = 0.15f, [VERB] = 0.45f, [PREPOSITION] = 0.5f, [STOP] = 0.42f},
	[DETERMINER] = {[NOUN] = 1},
	[PREPOSITION] = {[NOUN] = 0.55f, [DETERMINER] = 0.6f},
	[VERB] = {[DETERMINER] = 0.7f, [PREPOSITION] = 0.35f, [STOP] = 0.1f},
	[PRONOUN] = {[VERB] = 1},
	[STOP] = {[DETERMINER] = 0.55f, [PRONOUN] = 0.55f, [BREAK] = 0.2f},
	[BREAK] = {[START] = 1},
	[START] = {[NOUN] = 0.55f, [VERB] = 0.6f},
	[OTHER] = {[OTHER] = 0.2f, [VERB] = 0.3f, [PREPOSITION] = 0.3f},
};

static const struct {
	f32 gain, token, topics, next, recent, noise;
} layers[FAKE_WORLD_LAYERS] = {
	{4, 1.0f, 0.3f, 0.0f, 0.0f, 0.05f},
	{6, 0.8f, 0.6f, 0.2f, 0.0f, 0.05f},
	{8, 0.5f, 0.9f, 0.5f, 0.2f, 0.05f},
	{10, 0.5f, 1.4f, 5.0f, 3.0f, 0.4f},
};

static struct {
	u32 n;
	struct span text[FAKE_WORLD_WORD + MAX_WORDS];
	i32 topic[FAKE_WORLD_WORD + MAX_WORDS];
	enum class class[FAKE_WORLD_WORD + MAX_WORDS];
	f32 own[FAKE_WORLD_WORD + MAX_WORDS][D], embedding[FAKE_WORLD_WORD + MAX_WORDS][D];
	f32 topic_dir[FAKE_WORLD_TOPICS][D], class_dir[N_CLASSES][D], sink[D];
	u8 bytes[256];
	char words[8192];
	size_t n_words;
} world;

static u64 mix(u64 x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* Near enough to a normal variable: the sum of four uniform ones, with variance 1. */
static f32 bell(u64 seed)
{
	u64 u = mix(seed);
	f32 sum = 0;
	for (int i = 0; i < 4; i++)
		sum += (f32)(u >> 16 * i & 0xffff) / 65536.0f - 0.5f;
	return sum * 1.7320508f;
}

static f32 dot(const f32 *a, const f32 *b)
{
	f32 s = 0;
	for (int i = 0; i < D; i++)
		s += a[i] * b[i];
	return s;
}

static void add(f32 *x, f32 c, const f32 *v)
{
	for (int i = 0; i < D; i++)
		x[i] += c * v[i];
}

static void unit(f32 *x)
{
	f32 n = sqrtf(dot(x, x));
	for (int i = 0; i < D && n > 0; i++)
		x[i] /= n;
}

/* A seeded unit vector orthogonal to the first n_basis rows of basis. */
static void direction(u64 seed, f32 (*basis)[D], int n_basis, f32 *out)
{
	for (int i = 0; i < D; i++)
		out[i] = bell(seed * 64 + (u64)i);
	for (int round = 0; round < 2; round++) /* once more for what rounding left */
		for (int i = 0; i < n_basis; i++)
			add(out, -dot(out, basis[i]), basis[i]);
	unit(out);
}

static void add_token(struct span text, int topic, enum class class)
{
	u32 t = world.n++;
	world.text[t] = text;
	world.topic[t] = topic;
	world.class[t] = class;
}

static void add_words(const char *s, int topic, enum class class)
{
	while (*s) {
		size_t n = strcspn(s, " ");
		char *at = world.words + world.n_words;
		bool bare = *s == '_';
		at[0] = ' ';
		memcpy(at + !bare, s + bare, n - bare);
		size_t size = n - bare + !bare;
		add_token((struct span){(const u8 *)at, size}, topic, class);
		world.n_words += size;
		s += n + (s[n] == ' ');
	}
}

static void add_vocabulary(void)
{
	add_token((struct span){(const u8 *)"<|begin|>", 9}, -1, BREAK);
	add_token((struct span){(const u8 *)"<|end|>", 7}, -1, BREAK);
	for (int b = 0; b < 256; b++) {
		world.bytes[b] = (u8)b;
		bool stop = b && strchr(".,!?;:", b);
		add_token((struct span){&world.bytes[b], 1}, -1, stop ? STOP : b == '\n' ? BREAK : OTHER);
	}
	for (int i = 0; i < FAKE_WORLD_TOPICS; i++)
		add_words(topics[i].words, i, NOUN);
	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		add_words(common[i].words, -1, common[i].class);
}

static void make_world(void)
{
	static f32 basis[1 + N_CLASSES + FAKE_WORLD_TOPICS][D];
	int n = 0;
	for (size_t i = 0; i < ARRAY_LEN(basis); i++, n++)
		direction(1000 + i, basis, n, basis[i]);
	memcpy(world.sink, basis[0], sizeof basis[0]);
	memcpy(world.class_dir, basis[1], sizeof world.class_dir);
	memcpy(world.topic_dir, basis[1 + N_CLASSES], sizeof world.topic_dir);
	add_vocabulary();
	for (u32 t = 0; t < world.n; t++) {
		f32 *e = world.embedding[t];
		int topic = world.topic[t];
		direction(2000 + t, basis, n, world.own[t]);
		add(e, topic >= 0 ? 0.45f : 0.8f, world.class_dir[world.class[t]]);
		if (topic >= 0)
			add(e, 0.7f, world.topic_dir[topic]);
		add(e, 0.5f, world.own[t]);
		unit(e);
	}
}

static void ready(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, make_world);
}

u32 fake_world_n_vocab(void)
{
	ready();
	return world.n;
}

struct span fake_world_token(u32 token)
{
	ready();
	return token < world.n ? world.text[token] : (struct span){(const u8 *)"", 0};
}

bool fake_world_is_special(u32 token)
{
	return token == FAKE_WORLD_BEGIN || token == FAKE_WORLD_END;
}

int fake_world_topic(u32 token)
{
	ready();
	return token < world.n ? world.topic[token] : -1;
}

const char *fake_world_topic_name(int topic)
{
	return topic >= 0 && topic < FAKE_WORLD_TOPICS ? topics[topic].name : "";
}

size_t fake_world_tokenize(const char *text, size_t n, bool special, u32 *out, size_t cap)
{
	ready();
	size_t count = 0;
	for (size_t i = 0; i < n;) {
		u32 best = FAKE_WORLD_BYTE + (u8)text[i];
		size_t size = 1;
		for (u32 t = special ? 0 : FAKE_WORLD_WORD; t < world.n; t++) {
			struct span s = world.text[t];
			if (s.n > size && s.n <= n - i && !memcmp(s.p, text + i, s.n)) {
				best = t;
				size = s.n;
			}
		}
		if (count < cap)
			out[count] = best;
		count++;
		i += size;
	}
	return count;
}

static void copy(f32 *out, const f32 *from)
{
	if (from)
		memcpy(out, from, D * sizeof *out);
	else
		memset(out, 0, D * sizeof *out);
}

void fake_world_topic_direction(int topic, f32 *out)
{
	ready();
	copy(out, topic >= 0 && topic < FAKE_WORLD_TOPICS ? world.topic_dir[topic] : NULL);
}

void fake_world_embedding(u32 token, f32 *out)
{
	ready();
	copy(out, token < world.n ? world.embedding[token] : NULL);
}

void fake_world_own_direction(u32 token, f32 *out)
{
	ready();
	copy(out, token < world.n ? world.own[token] : NULL);
}

/* The topics of the tokens so far, later ones heavier, no topic above 1.5. */
static void add_topics(const u32 *tokens, size_t i, f32 c, f32 *out)
{
	f32 weight[FAKE_WORLD_TOPICS] = {0}, w = 1;
	for (size_t back = 0; back <= i && back < WINDOW; back++, w *= 0.88f) {
		int topic = fake_world_topic(tokens[i - back]);
		if (topic >= 0)
			weight[topic] += w;
	}
	for (int t = 0; t < FAKE_WORLD_TOPICS; t++)
		add(out, c * 1.5f * weight[t] / (1 + weight[t]), world.topic_dir[t]);
}

static void add_next_class(u32 token, f32 c, f32 *out)
{
	enum class class = token < world.n ? world.class[token] : OTHER;
	for (int k = 0; k < N_CLASSES; k++)
		add(out, c * next_class[class][k], world.class_dir[k]);
}

static void add_recent(const u32 *tokens, size_t i, f32 c, f32 *out)
{
	f32 w = 1;
	for (size_t back = 0; back <= i && back < RECENT; back++, w *= 0.85f)
		if (tokens[i - back] < world.n)
			add(out, c * w, world.own[tokens[i - back]]);
}

void fake_world_row(const u32 *tokens, size_t i, int layer, f32 *out)
{
	ready();
	if (i == 0) {
		for (int k = 0; k < D; k++)
			out[k] = SINK_NORM * world.sink[k];
		return;
	}
	copy(out, NULL);
	u32 token = tokens[i];
	if (token < world.n)
		add(out, layers[layer].token, world.embedding[token]);
	add_topics(tokens, i, layers[layer].topics, out);
	add_next_class(token, layers[layer].next, out);
	add_recent(tokens, i, -layers[layer].recent, out);
	u64 seed = mix((u64)token << 32 | tokens[i - 1]) + i;
	for (int k = 0; k < D; k++)
		out[k] = layers[layer].gain * (out[k] + layers[layer].noise * bell(seed * 256 + (u64)(layer * D + k)));
}

void fake_world_unembed(const f32 *vector, f32 *out)
{
	ready();
	for (u32 t = 0; t < world.n; t++)
		out[t] = dot(world.embedding[t], vector);
}

void fake_world_logits(const f32 *row, f32 *out)
{
	ready();
	f32 x[D];
	copy(x, row);
	add(x, -dot(x, world.sink), world.sink);
	if (dot(x, x) < 1e-6f) /* the sink alone: the start of a text */
		add_next_class(FAKE_WORLD_BEGIN, 1, x);
	unit(x);
	fake_world_unembed(x, out);
	for (u32 t = 0; t < world.n; t++)
		out[t] = 16 * out[t] - (world.class[t] == OTHER ? 12 : 0);
	/* a special token is never guessed */
	out[FAKE_WORLD_BEGIN] = out[FAKE_WORLD_END] = -30;
}
