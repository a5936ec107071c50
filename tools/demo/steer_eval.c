/* SPDX-License-Identifier: MIT */
/* steer_eval.c - do features steer?  The rule: features, strengths and word lists are chosen on
 * seeds 1-10 ("choose"); figures come from seeds 11-20 on three other prompts ("figures").
 *
 * usage: steer_eval ATLAS LIST.tsv choose|figures OUT.jsonl [BACKEND]
 *
 * LIST.tsv: feature id, strength in multiples of its maximum, reply|both, words (comma
 * separated; a word matches at a word's start, ignoring case).  A hit is a reply with two
 * different listed words, at most 20 % repeated 4-grams, and a mean NLL under the unsteered
 * model at most 1.5 nats above the baseline's.  Beside it stand the baseline and, in the
 * figures, a random direction of the same norm.  OUT.jsonl gets a line a text.
 */
#include "backend/steer.h"
#include "base/json.h"
#include "base/mem.h"
#include "core/rand.h"
#include "session/session.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { N_SEEDS = 10, N_PROMPTS = 3, N_PROMPTS_CHOOSE = 1, N_NEW = 60, MAX_WORDS = 64, BASELINE = 0, STEERED = 1, RANDOM = 2 };

static const char *const prompts[2][N_PROMPTS] = {
	{"What did you do last weekend?", "Tell me a story.", "Describe your day."},
	{"What is on your mind today?", "Write a few lines about something you like.",
	 "Tell me about the place where you grew up."},
};

struct text {
	struct buf bytes;
	u32 tokens[N_NEW];
	size_t n;
	f64 nll;
};

struct prompt {
	u32 *tokens;
	u8 *flags;
	size_t n;
	struct text baseline[N_SEEDS];
};

struct feature {
	u32 id;
	f64 multiple;
	enum intervention_where where;
	char *words[MAX_WORDS];
	size_t n_words;
	f32 max;
};

static struct session *session;
static struct backend *backend;
static FILE *out;

static void die(const struct err *e)
{
	fprintf(stderr, "steer_eval: %s\n", e->msg);
	exit(2);
}

static bool keep(void *context, size_t run, u32 token, const char *s, size_t n, const f32 *row)
{
	(void)row;
	struct text *t = (struct text *)context + run;
	if (t->n < N_NEW)
		t->tokens[t->n++] = token;
	buf_add(&t->bytes, s, n);
	return true;
}

/* All texts of one prompt and one direction, then their NLL under the unsteered model. */
static void generate(const struct prompt *p, const struct intervention *v, u64 first_seed, struct text *texts)
{
	struct err e = {0};
	struct run runs[N_SEEDS] = {0};
	for (size_t i = 0; i < N_SEEDS; i++)
		runs[i] = (struct run){.name = "text", .tokens = p->tokens, .flags = p->flags, .n_tokens = p->n,
				       .list = v, .n_list = v ? 1 : 0, .seed = first_seed + i};
	struct generate_options o = {.n_tokens = N_NEW, .temperature = 0.7f};
	if (backend_generate(backend, runs, N_SEEDS, &o, keep, texts, &e))
		die(&e);
	for (size_t i = 0; i < N_SEEDS; i++) {
		u32 *whole = xmalloc((p->n + N_NEW) * sizeof *whole);
		memcpy(whole, p->tokens, p->n * sizeof *whole);
		memcpy(whole + p->n, texts[i].tokens, texts[i].n * sizeof *whole);
		struct run r = {.name = "plain", .tokens = whole, .n_tokens = p->n + texts[i].n, .n_prompt = p->n};
		struct score s = {0};
		if (texts[i].n && backend_score(backend, &r, 1, &s, &e))
			die(&e);
		texts[i].nll = s.n ? s.nll / (f64)s.n : 0;
		free(s.want_logp);
		free(whole);
	}
}

static size_t words_in(const struct feature *f, const char *s)
{
	size_t hits = 0;
	for (size_t w = 0; w < f->n_words; w++) {
		size_t n = strlen(f->words[w]);
		for (const char *p = s; *p; p++)
			if (!strncasecmp(p, f->words[w], n) && (p == s || !isalpha((unsigned char)p[-1]))) {
				hits++;
				break;
			}
	}
	return hits;
}

static bool judge(const struct feature *f, const char *kind, const char *prompt, u64 seed, const struct text *t,
		  f64 baseline_nll)
{
	size_t words = words_in(f, t->bytes.s);
	f64 again = steer_repeated_4grams(t->tokens, t->n);
	bool hit = words >= 2 && again <= 0.2 && t->nll <= baseline_nll + 1.5;
	json_t *j = json_pack("{s:I,s:s,s:f,s:s,s:I,s:o,s:I,s:f,s:f,s:f,s:b}", "feature", (json_int_t)f->id, "kind", kind,
			      "strength", f->multiple, "prompt", prompt, "seed", (json_int_t)seed, "text",
			      json_text(t->bytes.s, t->bytes.n), "words", (json_int_t)words, "repeated_4grams", again,
			      "nll", t->nll, "baseline_nll", baseline_nll, "hit", hit);
	struct buf b = BUF_INIT;
	json_add_line(&b, j);
	fprintf(out, "%s\n", b.s);
	buf_release(&b);
	json_decref(j);
	return hit;
}

static void random_direction(f32 *v, u32 d, f32 norm, u64 seed)
{
	f64 sum = 0;
	for (u32 i = 0; i < d; i++) {
		v[i] = (f32)rand_normal(seed, i);
		sum += (f64)v[i] * v[i];
	}
	for (u32 i = 0; i < d; i++)
		v[i] *= norm / (f32)sqrt(sum);
}

static void evaluate(const struct feature *f, struct prompt *p, int set, u64 first_seed)
{
	u32 d = session->atlas->d_model;
	f32 *direction = xmalloc(d * sizeof *direction), *other = xmalloc(d * sizeof *other);
	dict_decoder_row(session->atlas->dict, f->id, direction);
	f64 norm = 0;
	for (u32 i = 0; i < d; i++)
		norm += (f64)direction[i] * direction[i];
	random_direction(other, d, (f32)sqrt(norm), f->id + 1000003u);
	int hits[3] = {0}, seeds_hit = 0, per_seed[N_SEEDS] = {0};
	f64 nll = 0;
	int n_prompts = set ? N_PROMPTS : N_PROMPTS_CHOOSE;
	for (int k = 0; k < n_prompts; k++) {
		for (int kind = BASELINE; kind <= (set ? RANDOM : STEERED); kind++) {
			struct intervention v = {.kind = INTERVENE_ADD, .hook = session->atlas->hook,
						 .direction = kind == STEERED ? direction : other,
						 .amount = (f32)f->multiple * f->max, .feature = NO_FEATURE,
						 .where = f->where};
			struct text texts[N_SEEDS] = {0};
			if (kind != BASELINE) {
				for (int i = 0; i < N_SEEDS; i++)
					buf_init(&texts[i].bytes);
				generate(&p[k], &v, first_seed, texts);
			}
			for (int i = 0; i < N_SEEDS; i++) {
				const struct text *base = &p[k].baseline[i], *t = kind == BASELINE ? base : &texts[i];
				bool hit = judge(f, kind == BASELINE ? "baseline" : kind == STEERED ? "steered" : "random",
						 prompts[set][k], first_seed + (u64)i, t, base->nll);
				hits[kind] += hit;
				if (kind == STEERED) {
					per_seed[i] += hit;
					nll += t->nll - base->nll;
				}
			}
			for (int i = 0; kind != BASELINE && i < N_SEEDS; i++)
				buf_release(&texts[i].bytes);
		}
	}
	for (int i = 0; i < N_SEEDS; i++)
		seeds_hit += 3 * per_seed[i] >= 2 * n_prompts;
	char *label = session_label_text(session, f->id);
	int n = n_prompts * N_SEEDS;
	printf("%u\t%.2f\t%d/%d\t%d/%d\t%d/%d\t%d/10\t%+.2f\t%s\n", f->id, f->multiple, hits[STEERED], n, hits[BASELINE], n,
	       hits[RANDOM], set ? n : 0, seeds_hit, nll / n, label);
	fflush(stdout);
	free(label);
	free(direction);
	free(other);
}

static bool read_feature(char *line, struct feature *f)
{
	line[strcspn(line, "\n")] = 0;
	char *field[4], *at = line;
	if (!line[0] || line[0] == '#')
		return false;
	for (int i = 0; i < 4; i++)
		if (!(field[i] = strsep(&at, "\t")))
			return false;
	*f = (struct feature){.id = (u32)strtoul(field[0], NULL, 10), .multiple = strtod(field[1], NULL),
			      .where = !strcmp(field[2], "both") ? WHERE_BOTH : WHERE_REPLY};
	for (char *w; (w = strsep(&field[3], ",")) && f->n_words < MAX_WORDS;)
		if (*w)
			f->words[f->n_words++] = xstrdup(w);
	return f->id < session->atlas->n_features;
}

int main(int argc, char **argv)
{
	struct err e = {0};
	if (argc < 5) {
		fputs("usage: steer_eval ATLAS LIST.tsv choose|figures OUT.jsonl [BACKEND]\n", stderr);
		return 2;
	}
	int set = !strcmp(argv[3], "figures");
	u64 first_seed = set ? 11 : 1;
	session = session_open(argv[1], argc > 5 ? argv[5] : NULL, &e);
	if (!session || !(backend = session_backend(session, &e)) || backend_connect(backend, NULL, &e))
		die(&e);
	FILE *list = fopen(argv[2], "r");
	out = fopen(argv[4], "w");
	if (!list || !out || !session->atlas->store) {
		fputs("steer_eval: a list, an output and an atlas with a store are needed\n", stderr);
		return 2;
	}
	struct prompt p[N_PROMPTS] = {0};
	for (int k = 0; k < (set ? N_PROMPTS : N_PROMPTS_CHOOSE); k++) {
		if (backend_tokenize(backend, prompts[set][k], true, &p[k].tokens, &p[k].flags, &p[k].n, &e))
			die(&e);
		for (int i = 0; i < N_SEEDS; i++)
			buf_init(&p[k].baseline[i].bytes);
		generate(&p[k], NULL, first_seed, p[k].baseline);
	}
	puts("id\tx max\tsteered\tbaseline\trandom\tseeds\tnll\tlabel");
	char *line = NULL;
	size_t cap = 0;
	while (getline(&line, &cap, list) >= 0) {
		struct feature f;
		struct store_stats s;
		if (!read_feature(line, &f))
			continue;
		store_stats(session->atlas->store, f.id, &s);
		f.max = s.max;
		evaluate(&f, p, set, first_seed);
	}
	free(line);
	fclose(list);
	session_free(session);
	return fclose(out) != 0;
}
