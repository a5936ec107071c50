/* SPDX-License-Identifier: MIT */
/* conformance.c - whether a module does what featlas-backend(7) says; TAP on stdout.
 *
 * usage: conformance SPEC [TOLERANCE]
 *
 * Knows nothing of the model: it compares the module's answers with each other.  TOLERANCE
 * (1e-3) is relative, for numbers that come from passes of different shape.
 */
#include "backend/backend.h"
#include "base/mem.h"
#include "base/pool.h"
#include "core/store.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N_NEW = 16 };

static struct backend *b;
static const struct backend_info *info;
static struct err e;
static f64 tolerance = 1e-3;
static int n_tests, n_failed;
static u8 *blob, *special;
static u64 *offsets;
static u32 d, *tokens; /* of the plain text all tests share */
static size_t n_tokens;
static u8 *flags;
static char hook[64];
static const char text[] = "The river and the sea are made of water, and so is the rain \xe2\x98\x83.";

static void ok(bool good, const char *name)
{
	n_tests++;
	n_failed += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", n_tests, name);
	if (!good && e.msg[0])
		printf("# %s\n", e.msg);
	e = (struct err){0};
	fflush(stdout);
}

static bool near(f64 a, f64 c)
{
	return fabs(a - c) <= tolerance * (1 + fabs(a));
}

/* |a - c| within the tolerance of |a|. */
static bool near_rows(const f32 *a, const f32 *c, size_t n)
{
	f64 size = 0, apart = 0;
	for (size_t i = 0; i < n; i++) {
		size += (f64)a[i] * (f64)a[i];
		apart += ((f64)a[i] - (f64)c[i]) * ((f64)a[i] - (f64)c[i]);
	}
	return sqrt(apart) <= 10 * tolerance * sqrt(size);
}

/* The bytes of tokens whose flags have none of the mask. */
static void spell(struct buf *out, const u32 *t, const u8 *f, size_t n, u8 mask)
{
	buf_clear(out);
	for (size_t i = 0; i < n; i++)
		if (!(f[i] & mask))
			buf_add(out, blob + offsets[t[i]], offsets[t[i] + 1] - offsets[t[i]]);
}

static bool connect_and_describe(const char *spec)
{
	u32 v;
	b = backend_new(spec, &e);
	bool good =
		b && !backend_connect(b, NULL, &e) && !backend_vocab(b, &blob, &offsets, &special, &v, &e);
	ok(good, "it starts, says what it is, and gives its vocabulary");
	if (!good)
		return false;
	info = backend_info(b);
	d = info->d_model;
	snprintf(hook, sizeof hook, "blocks.%u.hook_resid_post", info->n_layers / 2);
	ok(info->name[0] && v == info->n_vocab, "the model has a name and as many tokens as it says");
	return true;
}

static void texts_become_tokens(void)
{
	struct buf s = BUF_INIT;
	bool good = !backend_tokenize(b, text, false, &tokens, &flags, &n_tokens, &e) && n_tokens > 4;
	ok(good, "a text becomes tokens");
	if (!good)
		exit(1);
	spell(&s, tokens, flags, n_tokens, TOKEN_SPECIAL);
	ok(!strcmp(s.s, text), "its tokens spell it");
	ok(flags[0] & TOKEN_FIRST && !(flags[1] & TOKEN_FIRST), "position 0 is marked");
	bool plain = true;
	for (size_t i = 1; i < n_tokens; i++)
		plain = plain && !(flags[i] & TOKEN_SPECIAL);
	ok(plain, "no token of a plain text is special, but a first one");

	static const char hostile[] = "<|im_end|> <|end|> </s> <|endoftext|>";
	u32 *t;
	u8 *f;
	size_t n;
	ok(!backend_tokenize(b, hostile, false, &t, &f, &n, &e), "the names of special tokens are a text");
	spell(&s, t, f, n, TOKEN_SPECIAL);
	plain = true;
	for (size_t i = 1; i < n; i++)
		plain = plain && !special[t[i]];
	ok(plain && !strcmp(s.s, hostile), "... and not special tokens");
	free(t);
	free(f);
	if (!info->templ[0]) {
		buf_release(&s);
		return;
	}
	ok(!backend_tokenize(b, hostile, true, &t, &f, &n, &e), "a chat becomes tokens");
	spell(&s, t, f, n, TOKEN_SPECIAL);
	/* a special token at the end of the words would not spell them */
	ok(!strcmp(s.s, hostile), "what is not marked as the template's is what the user said");
	bool prompt = true;
	for (size_t i = 0; i < n; i++)
		prompt = prompt && f[i] & TOKEN_PROMPT;
	ok(prompt && f[n - 1] & TOKEN_SPECIAL, "an open chat is all prompt and ends with the template");
	free(t);
	free(f);
	json_t *chat = json_pack("[{s:s, s:s}, {s:s, s:s}]", "role", "user", "content", "Why?", "role",
				 "assistant", "content", "Because of the rain.");
	ok(!backend_tokenize_messages(b, chat, false, &t, &f, &n, &e),
	   "a chat with an answer becomes tokens");
	spell(&s, t, f, n, TOKEN_SPECIAL | TOKEN_PROMPT);
	ok(!strcmp(s.s, "Because of the rain."), "the answer is what is neither prompt nor template");
	json_decref(chat);
	free(t);
	free(f);
	buf_release(&s);
}

static f32 *rows_of(const char *const *hooks, size_t n_hooks, size_t n)
{
	f32 *all = xcalloc(n_hooks * n * d, sizeof *all), *rows[8];
	for (size_t h = 0; h < n_hooks; h++)
		rows[h] = all + h * n * d;
	if (!backend_states(b, tokens, n, hooks, n_hooks, rows, &e))
		return all;
	free(all);
	return NULL;
}

static void states_are_rows(void)
{
	char low[64];
	snprintf(low, sizeof low, "blocks.%u.hook_resid_post", 1u);
	const char *both[] = {hook, low}, *one[] = {low}, *last[1],
		   *none[] = {"blocks.99999.hook_resid_post"};
	char last_name[64];
	snprintf(last_name, sizeof last_name, "blocks.%u.hook_resid_post", info->n_layers - 1);
	last[0] = last_name;
	f32 *a = rows_of(both, 2, n_tokens), *c = rows_of(both, 2, n_tokens), *l = rows_of(one, 1, n_tokens);
	f32 *s = rows_of(both, 2, n_tokens - 2), *z = rows_of(last, 1, n_tokens);
	size_t bytes = n_tokens * d * sizeof(f32);
	ok(a && c && !memcmp(a, c, 2 * bytes), "the same states twice are the same bits");
	ok(a && l && near_rows(a + n_tokens * d, l, n_tokens * d),
	   "two hooks in one pass are as one alone, in the order asked");
	ok(a && s && near_rows(a, s, (n_tokens - 2) * d), "later tokens change no earlier row");
	bool finite = z != NULL;
	for (size_t i = 0; i < n_tokens * d && finite; i++)
		finite = isfinite(z[i]);
	ok(finite, "the last layer has a row for every token");
	ok(a && z && !near_rows(a, z, n_tokens * d), "... and they are its own");
	ok(!rows_of(none, 1, 3) && e.code != ERR_UNAVAILABLE && backend_state(b) == BACKEND_READY,
	   "a layer that is not there is refused");
	u32 keep = tokens[1];
	tokens[1] = info->n_vocab;
	ok(!rows_of(one, 1, 3) && backend_state(b) == BACKEND_READY, "a token that is not there is refused");
	tokens[1] = keep;
	free(a);
	free(c);
	free(l);
	free(s);
	free(z);
}

struct heard {
	u32 token[3][N_NEW];
	size_t n[3];
	f32 *row[3]; /* [N_NEW][d] */
};

static bool hear(void *context, size_t run, u32 token, const char *s, size_t n, const f32 *row)
{
	struct heard *h = context;
	if (n != offsets[token + 1] - offsets[token] || memcmp(s, blob + offsets[token], n))
		return false;
	if (row && h->row[run])
		memcpy(h->row[run] + h->n[run] * d, row, d * sizeof *row);
	h->token[run][h->n[run]++] = token;
	return true;
}

static bool generate(const struct run *runs, size_t n, f32 temperature, const char *rows_hook,
		     struct heard *h)
{
	struct generate_options o = {.n_tokens = N_NEW, .temperature = temperature, .rows_hook = rows_hook};
	for (size_t i = 0; i < 3; i++) {
		free(h->row[i]);
		h->row[i] = xcalloc(N_NEW * d, sizeof(f32));
		h->n[i] = 0;
	}
	memset(h->token, 0, sizeof h->token);
	return !backend_generate(b, runs, n, &o, hear, h, &e);
}

static void release(struct heard *h)
{
	for (size_t i = 0; i < 3; i++)
		free(h->row[i]);
}

static struct run run_of(u64 seed, const struct intervention *list, size_t n)
{
	return (struct run){.name = "run",
			    .tokens = tokens,
			    .flags = flags,
			    .n_tokens = n_tokens,
			    .seed = seed,
			    .list = list,
			    .n_list = n};
}

static void fill(f32 *v, u64 seed)
{
	f64 square = 0;
	for (u32 k = 0; k < d; k++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		v[k] = (f32)((f64)(seed >> 40) / (1 << 24) - 0.5);
		square += (f64)v[k] * (f64)v[k];
	}
	for (u32 k = 0; k < d; k++)
		v[k] = (f32)((f64)v[k] / sqrt(square));
}

static f32 norm_of_last_row(void)
{
	const char *hooks[] = {hook};
	f32 *x = rows_of(hooks, 1, n_tokens);
	f64 square = 0;
	for (u32 k = 0; x && k < d; k++)
		square += (f64)x[(n_tokens - 1) * d + k] * (f64)x[(n_tokens - 1) * d + k];
	free(x);
	return (f32)sqrt(square);
}

static void runs_are_reproducible(void)
{
	struct heard h = {0}, g = {0};
	struct run runs[] = {run_of(1, NULL, 0), run_of(1, NULL, 0), run_of(2, NULL, 0)};
	ok(generate(runs, 2, 0, NULL, &h), "two runs go side by side");
	ok(h.n[0] == h.n[1] && h.n[0] && !memcmp(h.token[0], h.token[1], sizeof h.token[0]),
	   "equal runs say the same");
	ok(generate(runs, 1, 0, NULL, &g) && !memcmp(g.token[0], h.token[0], sizeof h.token[0]),
	   "one alone says what it says beside another");
	ok(generate(runs, 3, 1, NULL, &h) && !memcmp(h.token[0], h.token[1], sizeof h.token[0]),
	   "drawn with equal seeds they are equal");
	ok(memcmp(h.token[0], h.token[2], sizeof h.token[0]), "... with another seed not");
	ok(generate(runs, 3, 1, NULL, &g) && !memcmp(g.token, h.token, sizeof h.token),
	   "... and again the same");
	release(&h);
	release(&g);
}

static void strength_0_is_nothing(void)
{
	struct heard h = {0};
	f32 *v = xcalloc(d, sizeof *v);
	fill(v, 1);
	struct intervention none = {.kind = INTERVENE_ADD,
				    .hook = hook,
				    .direction = v,
				    .feature = NO_FEATURE},
			    much = none;
	much.amount = 4 * norm_of_last_row();
	struct run runs[] = {run_of(1, NULL, 0), run_of(1, &none, 1), run_of(1, &much, 1)};
	ok(generate(runs, 3, 0, hook, &h), "a baseline, a run of strength 0 and a steered one");
	ok(!memcmp(h.token[0], h.token[1], sizeof h.token[0]), "strength 0 says what the baseline says");
	ok(!memcmp(h.row[0], h.row[1], N_NEW * d * sizeof(f32)), "... and its rows are the same bits");
	ok(memcmp(h.token[0], h.token[2], sizeof h.token[0]),
	   "four times the row's norm says something else");
	ok(near_rows(h.row[0], h.row[2], d), "the rows that come are those before the intervention");
	release(&h);
	free(v);
}

static void scores_are_probabilities(void)
{
	u32 v = info->n_vocab, *all = xcalloc(v, sizeof *all), best = 0;
	for (u32 t = 0; t < v; t++)
		all[t] = t;
	struct run whole = run_of(1, NULL, 0), most = whole;
	struct score s[2];
	struct heard h = {0};
	whole.n_prompt = n_tokens - 1;
	most.n_tokens--;
	most.n_prompt = 0;
	most.want_tokens = all;
	most.n_want = v;
	bool good = !backend_score(b, &whole, 1, &s[0], &e) && !backend_score(b, &most, 1, &s[1], &e);
	ok(good && s[0].n == 1, "one token after the prompt is judged");
	f64 sum = 0;
	for (u32 t = 0; t < v && good; t++) {
		sum += exp((f64)s[1].want_logp[t]);
		best = s[1].want_logp[t] > s[1].want_logp[best] ? t : best;
	}
	ok(near(sum, 1), "probabilities of all tokens sum to 1");
	ok(good && near(s[0].nll, -(f64)s[1].want_logp[tokens[n_tokens - 1]]),
	   "the judged token's is the one in the list");
	ok(generate(&most, 1, 0, NULL, &h) && h.token[0][0] == best, "the greedy token is the likeliest");
	if (good)
		free(s[1].want_logp);
	whole.n_prompt = 2;
	struct run twice[] = {whole, whole};
	ok(!backend_score(b, twice, 2, s, &e) && s[0].n == n_tokens - 2 && near(s[0].nll, s[1].nll) &&
		   fabs(s[1].kl) < 1e-6,
	   "a run is at distance 0 from its equal");
	free(all);
	release(&h);
}

/* score of the text with one intervention must be that of the same rows given by replace. */
static void kind_is_its_formula(struct intervention v, const struct run_encoder *c, const char *name)
{
	const char *hooks[] = {hook};
	f32 *x = rows_of(hooks, 1, n_tokens), *work = xcalloc(d + (c ? c->n : 0), sizeof *work);
	struct run runs[3] = {run_of(1, NULL, 0), run_of(1, &v, 1), run_of(1, NULL, 0)};
	struct intervention given = {.kind = INTERVENE_REPLACE,
				     .hook = hook,
				     .rows = x,
				     .n_rows = n_tokens,
				     .feature = NO_FEATURE};
	struct score s[3];
	v.where = WHERE_BOTH;
	for (size_t i = 0; i < n_tokens && x; i++)
		run_apply(&runs[1], hook, c, 2, i, d, x + i * d, work);
	runs[2].list = &given;
	runs[2].n_list = 1;
	for (int i = 0; i < 3; i++)
		runs[i].n_prompt = 2;
	bool good = x && !backend_score(b, runs, 3, s, &e);
	ok(good && near(s[1].nll, s[2].nll), name);
	if (!good || !near(s[1].nll, s[2].nll))
		printf("# clean %g, intervened %g, replaced %g\n", s[0].nll, s[1].nll, s[2].nll);
	else if (v.kind != INTERVENE_ADD || v.amount != 0)
		ok(s[1].kl > 1e-6, "... and not nothing");
	free(x);
	free(work);
}

/* Steered where a feature that fires at some of the tokens does. */
static void conditions(struct intervention v, f32 size)
{
	const char *hooks[] = {hook};
	f32 *x = rows_of(hooks, 1, n_tokens), most = -INFINITY, least = INFINITY;
	for (size_t i = 1; i < n_tokens && x; i++) {
		f32 p = 0;
		for (u32 k = 0; k < d; k++)
			p += v.direction[k] * x[i * d + k];
		most = fmaxf(most, p);
		least = fminf(least, p);
	}
	v.kind = INTERVENE_ADD;
	v.amount = size;
	/* p is positive at the upper half of its range */
	v.when = (struct run_condition){.encoder = v.direction, .bias = -(most + least) / 2, .feature = NO_FEATURE};
	kind_is_its_formula(v, NULL, "a condition holds at the tokens where its feature fires");
	v.when.above = most;
	struct run runs[] = {run_of(1, NULL, 0), run_of(1, &v, 1)};
	struct score s[2];
	runs[0].n_prompt = runs[1].n_prompt = 2;
	v.where = WHERE_BOTH;
	ok(!backend_score(b, runs, 2, s, &e) && near(s[0].nll, s[1].nll) && s[1].kl < 1e-6,
	   "... and never where it is not above the amount");
	free(x);
}

static void interventions_are_their_formulas(void)
{
	f32 *w = xcalloc(4 * (size_t)d, sizeof *w), bias[4] = {0}, size = norm_of_last_row();
	for (u64 i = 0; i < 4; i++)
		fill(w + i * d, 10 + i);
	struct run_encoder c = {.w = w, .bias = bias, .n = 4, .d = d, .k = 2};
	struct intervention v = {.kind = INTERVENE_ADD,
				 .hook = hook,
				 .direction = w,
				 .amount = 0,
				 .encoder = w,
				 .feature = NO_FEATURE};
	kind_is_its_formula(v, NULL, "replacing x by itself changes nothing");
	v.amount = size;
	kind_is_its_formula(v, NULL, "add is x + c d");
	v.kind = INTERVENE_CLAMP;
	kind_is_its_formula(v, NULL, "clamp is x + (c - f) d");
	v.kind = INTERVENE_PIN;
	kind_is_its_formula(v, NULL, "pin is x + (c - p) / (w.d) d");
	v.kind = INTERVENE_ORTHOGONAL;
	v.amount = -1;
	kind_is_its_formula(v, NULL, "orthogonal scales the part along d");
	v.kind = INTERVENE_CAP;
	v.amount = -size;
	kind_is_its_formula(v, NULL, "cap brings the part along d down");
	conditions(v, size);
	v.amount = size;
	v.kind = INTERVENE_CLAMP;
	v.feature = 2;
	v.direction = v.encoder = w + 2 * (size_t)d;
	struct run r = run_of(1, &v, 1);
	struct score s;
	ok(backend_score(b, &r, 1, &s, &e) && backend_state(b) == BACKEND_READY,
	   "a feature without its encoder is refused");
	ok(!backend_load_encoder(b, hook, w, bias, 4, d, 2, w, &e), "an encoder is taken");
	kind_is_its_formula(v, &c, "clamp of a TopK dictionary reads all of it");
	free(w);
}

/* Turns an intervention of run 1 at given tokens. */
struct turning {
	struct heard heard;
	size_t at;
	int on;
	const f32 *amount;
};

static bool turn(void *context, size_t run, u32 token, const char *s, size_t n, const f32 *row)
{
	struct turning *t = context;
	bool more = hear(&t->heard, run, token, s, n, row);
	if (run == 1 && t->heard.n[1] == t->at)
		backend_update(b, 1, 0, t->amount, t->on);
	return more;
}

static bool generate_turning(const struct run *runs, struct turning *t)
{
	struct generate_options o = {.n_tokens = N_NEW};
	memset(&t->heard, 0, sizeof t->heard);
	return !backend_generate(b, runs, 2, &o, turn, t, &e);
}

static void running_requests_can_be_changed(void)
{
	enum { AT = 4 };
	f32 *w = xcalloc(d, sizeof *w);
	u32 longer[64], *said;
	if (!backend_can(b, "update")) {
		ok(true, "update # SKIP the module has none");
		free(w);
		return;
	}
	fill(w, 21);
	struct intervention v = {.kind = INTERVENE_ADD, .hook = hook, .direction = w, .feature = NO_FEATURE,
				 .amount = 2 * norm_of_last_row()}, plain = v;
	v.off = true;
	struct run runs[] = {run_of(1, NULL, 0), run_of(1, &v, 1)};
	runs[1].paced = true;
	struct turning t = {.at = SIZE_MAX, .on = -1};
	ok(generate_turning(runs, &t) && !memcmp(t.heard.token[0], t.heard.token[1], sizeof t.heard.token[0]),
	   "an intervention that is off does nothing");
	t.at = AT;
	t.on = 1;
	bool good = generate_turning(runs, &t);
	ok(good && !memcmp(t.heard.token[0], t.heard.token[1], AT * sizeof(u32)),
	   "turned on while the text is written it changes no token before");
	/* from there on it is the text that goes on from the longer prompt, steered */
	said = t.heard.token[1];
	memcpy(longer, tokens, n_tokens * sizeof *longer);
	memcpy(longer + n_tokens, said, AT * sizeof *longer);
	struct run rest = {.name = "run", .tokens = longer, .n_tokens = n_tokens + AT, .seed = 1, .list = &plain,
			   .n_list = 1};
	struct heard h = {0};
	struct generate_options o = {.n_tokens = N_NEW - AT};
	for (size_t i = 0; i < 3; i++)
		h.row[i] = NULL;
	good = good && !backend_generate(b, &rest, 1, &o, hear, &h, &e);
	ok(good && memcmp(h.token[0], t.heard.token[0] + AT, (N_NEW - AT) * sizeof(u32)),
	   "the text is another one from there on");
	ok(good && !memcmp(h.token[0], said + AT, (N_NEW - AT) * sizeof(u32)),
	   "... from the very next token, as a prompt of all before it goes on");
	u32 turned[N_NEW];
	memcpy(turned, said, sizeof turned);
	v = plain;
	v.amount = 0;
	t.on = -1;
	t.amount = &plain.amount;
	ok(generate_turning(runs, &t) && !memcmp(turned, t.heard.token[1], sizeof turned),
	   "from 0 to an amount is the same");
	t.at = 1;
	t.on = 0;
	v = plain;
	runs[1].paced = false; /* nobody waits, and it may come too late: it must not stop anything */
	ok(generate_turning(runs, &t) && t.heard.n[0] && backend_state(b) == BACKEND_READY,
	   "a run that does not wait can be changed too");
	free(w);
}

static void lenses_mirror(void)
{
	enum { K = 8 };
	f32 *v = xcalloc(2 * (size_t)d, sizeof *v), top[2 * K], bottom[2 * K];
	u32 top_token[2 * K], bottom_token[2 * K];
	fill(v, 5);
	for (u32 k = 0; k < d; k++)
		v[d + k] = -3 * v[k];
	bool good = !backend_lens(b, v, 2, K, top_token, top, bottom_token, bottom, &e);
	ok(good, "vectors have tokens");
	bool sorted = good, mirrored = good;
	for (int i = 0; i < K && good; i++) {
		sorted = sorted && (!i || (top[i] <= top[i - 1] && bottom[i] >= bottom[i - 1]));
		mirrored = mirrored && near((f64)top[i], -(f64)bottom[K + i]);
	}
	ok(sorted && top[0] > 0 && bottom[0] < 0, "best first");
	ok(mirrored, "what a vector promotes its negative suppresses, whatever its length");
	free(v);
}

static atomic_bool over;

static void poke(void *context)
{
	struct timespec t = {0, 1000000};
	(void)context;
	while (backend_state(b) != BACKEND_BUSY && !atomic_load(&over))
		nanosleep(&t, NULL);
	if (!atomic_load(&over))
		backend_cancel(b);
}

static void requests_can_be_cancelled(void)
{
	struct run r = run_of(1, NULL, 0);
	struct heard h = {0};
	/* as much as it can hold in all: long enough to be in the middle of */
	struct run many[] = {r, r, r};
	struct generate_options o = {.n_tokens = info->n_ctx / 3 - (u32)n_tokens};
	/* a text may be over before the cancel gets there: then it is a reply like any other */
	int bad = 0;
	for (int i = 0; i < 10 && !bad; i++) {
		struct job *job = job_start(poke, NULL, -1);
		bad = backend_generate(b, many, 3, &o, NULL, NULL, &e);
		atomic_store(&over, true);
		job_join(job);
		atomic_store(&over, false);
	}
	ok(bad && e.code == ERR_CANCELLED, "a request that is cancelled says so");
	ok(backend_state(b) == BACKEND_READY && generate(&r, 1, 0, NULL, &h),
	   "... once, and the next one is served");
	o.n_tokens = info->n_ctx;
	ok(backend_generate(b, &r, 1, &o, NULL, NULL, &e) && backend_state(b) == BACKEND_READY,
	   "more than the model can hold is refused");
	release(&h);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: conformance SPEC [TOLERANCE]\n");
		return 2;
	}
	tolerance = argc > 2 ? strtod(argv[2], NULL) : tolerance;
	if (connect_and_describe(argv[1])) {
		texts_become_tokens();
		states_are_rows();
		runs_are_reproducible();
		strength_0_is_nothing();
		scores_are_probabilities();
		interventions_are_their_formulas();
		running_requests_can_be_changed();
		lenses_mirror();
		requests_can_be_cancelled();
	}
	printf("1..%d\n", n_tests);
	free(blob);
	free(offsets);
	free(special);
	free(tokens);
	free(flags);
	backend_free(b);
	return n_failed != 0;
}
