/* SPDX-License-Identifier: MIT */
/* steer_eval.c - do features steer?  The rule: features, strengths and word lists are chosen on
 * seeds 1-10 ("choose"); figures come from seeds 11-20 on three other prompts ("figures").
 *
 * usage: steer_eval ATLAS LIST.tsv choose|figures OUT.jsonl [BACKEND]
 *
 * LIST.tsv: feature id, strength in multiples of its maximum, reply|both, words (comma
 * separated; a word matches at a word's start, ignoring case).  A hit is a reply with two
 * different listed words, at most 20 % repeated 4-grams, and a mean NLL under the unsteered
 * model at most 1.5 nats above the baseline's (session/hit.h).  Beside it stand the baseline and, in the
 * figures, a random direction of the same norm.  OUT.jsonl gets a line a text.
 */
#include "base/json.h"
#include "base/mem.h"
#include "session/hit.h"
#include "session/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_SEEDS = 10, N_PROMPTS = 3, N_PROMPTS_CHOOSE = 1, N_NEW = 60, MAX_WORDS = 64 };

static const char *const prompts[2][N_PROMPTS] = {
	{"What did you do last weekend?", "Tell me a story.", "Describe your day."},
	{"What is on your mind today?", "Write a few lines about something you like.",
	 "Tell me about the place where you grew up."},
};

struct feature {
	struct steer_spec spec;
	char *words[MAX_WORDS];
	size_t n_words;
};

static struct session *session;
static struct backend *backend;
static FILE *out;

static void die(const struct err *e)
{
	fprintf(stderr, "steer_eval: %s\n", e->msg);
	exit(2);
}

static void print_cell(const struct feature *f, const struct sweep *w, const struct sweep_cell *c)
{
	static const char *const kinds[] = {"baseline", "steered", "random"};
	f64 base = sweep_at(w, SWEEP_BASELINE, c->prompt, c->seed, 0)->nll;
	json_t *j = json_pack("{s:I,s:s,s:f,s:s,s:I,s:o,s:I,s:f,s:f,s:f,s:b}", "feature", (json_int_t)f->spec.feature, "kind",
			      kinds[c->kind], "strength", (f64)f->spec.strength, "prompt", w->q.prompts[c->prompt], "seed",
			      (json_int_t)w->q.seeds[c->seed], "text", json_text(c->text.s, c->text.n), "words",
			      (json_int_t)c->words, "repeated_4grams", c->repeats, "nll", c->nll, "baseline_nll", base,
			      "hit", (int)c->hit);
	struct buf b = BUF_INIT;
	json_add_line(&b, j);
	fprintf(out, "%s\n", b.s);
	buf_release(&b);
	json_decref(j);
}

/* w: [n_prompts], a sweep each. */
static void report(const struct feature *f, struct sweep *const *w, size_t n_prompts, bool random)
{
	size_t hits[3] = {0}, seeds_hit = 0, of_seed[N_SEEDS] = {0}, n = n_prompts * N_SEEDS;
	f64 excess = 0;
	for (size_t k = 0; k < n_prompts; k++)
		for (int kind = SWEEP_BASELINE; kind <= (random ? SWEEP_RANDOM : SWEEP_STEERED); kind++)
			for (size_t i = 0; i < N_SEEDS; i++) {
				const struct sweep_cell *c = sweep_at(w[k], (enum sweep_kind)kind, 0, i, 0);
				hits[kind] += c->hit;
				of_seed[i] += kind == SWEEP_STEERED && c->hit;
				excess += kind == SWEEP_STEERED ? c->excess : 0;
				print_cell(f, w[k], c);
			}
	for (size_t i = 0; i < N_SEEDS; i++)
		seeds_hit += hit_seed(of_seed[i], n_prompts);
	char *label = session_label_text(session, f->spec.feature);
	printf("%u\t%.2f\t%zu/%zu\t%zu/%zu\t%zu/%zu\t%zu/10\t%+.2f\t%s\n", f->spec.feature, (f64)f->spec.strength,
	       hits[SWEEP_STEERED], n, hits[SWEEP_BASELINE], n, hits[SWEEP_RANDOM], random ? n : 0, seeds_hit,
	       excess / (f64)n, label);
	fflush(stdout);
	free(label);
}

/* Texts of all seeds for one prompt, ten at once; before: the sweep whose baselines are taken, or NULL. */
static struct sweep *texts(const struct feature *f, bool figures, const char *const *prompt, const struct sweep *before)
{
	struct err e = {0};
	u64 seeds[N_SEEDS];
	for (u64 i = 0; i < N_SEEDS; i++)
		seeds[i] = (figures ? 11 : 1) + i;
	struct sweep_request q = {.specs = &f->spec,
				  .n_specs = 1,
				  .strengths = &f->spec.strength,
				  .n_strengths = 1,
				  .seeds = seeds,
				  .n_seeds = N_SEEDS,
				  .prompts = prompt,
				  .n_prompts = 1,
				  .words = (const char *const *)f->words,
				  .n_words = f->n_words,
				  .random = figures,
				  .random_seed = SWEEP_RANDOM_SEED,
				  .max_runs = N_SEEDS,
				  .chat = true,
				  .where = WHERE_REPLY,
				  .temperature = 0.7f,
				  .n_tokens = N_NEW};
	struct sweep *w = sweep_new(session, &q, &e);
	if (!w || sweep_run(w, session, backend, before, NULL, NULL, NULL, &e))
		die(&e);
	return w;
}

/* w: those of the feature before, then this one's. */
static void evaluate(const struct feature *f, bool figures, struct sweep **w)
{
	size_t n_prompts = figures ? N_PROMPTS : N_PROMPTS_CHOOSE;
	for (size_t k = 0; k < n_prompts; k++) {
		struct sweep *now = texts(f, figures, &prompts[figures][k], w[k]);
		sweep_free(w[k]);
		w[k] = now;
	}
	report(f, w, n_prompts, figures);
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
	*f = (struct feature){.spec = {.feature = (u32)strtoul(field[0], NULL, 10),
				       .method = STEER_ADD,
				       .strength = strtof(field[1], NULL),
				       .times_max = true,
				       .where = !strcmp(field[2], "both") ? WHERE_BOTH : WHERE_REPLY}};
	for (char *w; (w = strsep(&field[3], ",")) && f->n_words < MAX_WORDS;)
		if (*w)
			f->words[f->n_words++] = xstrdup(w);
	return f->spec.feature < session->atlas->n_features;
}

int main(int argc, char **argv)
{
	struct err e = {0};
	if (argc < 5) {
		fputs("usage: steer_eval ATLAS LIST.tsv choose|figures OUT.jsonl [BACKEND]\n", stderr);
		return 2;
	}
	bool figures = !strcmp(argv[3], "figures");
	session = session_open(argv[1], argc > 5 ? argv[5] : NULL, &e);
	if (!session || !(backend = session_backend(session, &e)) || backend_connect(backend, NULL, &e))
		die(&e);
	FILE *list = fopen(argv[2], "r");
	out = fopen(argv[4], "w");
	if (!list || !out || !session->atlas->store) {
		fputs("steer_eval: a list, an output and an atlas with a store are needed\n", stderr);
		return 2;
	}
	puts("id\tx max\tsteered\tbaseline\trandom\tseeds\tnll\tlabel");
	char *line = NULL;
	size_t cap = 0;
	struct sweep *sweeps[N_PROMPTS] = {0};
	while (getline(&line, &cap, list) >= 0) {
		struct feature f;
		if (read_feature(line, &f))
			evaluate(&f, figures, sweeps);
	}
	for (size_t k = 0; k < N_PROMPTS; k++)
		sweep_free(sweeps[k]);
	free(line);
	fclose(list);
	session_free(session);
	return fclose(out) != 0;
}
