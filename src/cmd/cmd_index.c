/* SPDX-License-Identifier: MIT */
/* cmd_index.c - index ATLAS OUT.acts: the parts that come after the dictionary. */
#include "cmd/cmd.h"

#include "base/mem.h"
#include "core/ranks.h"
#include "session/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum part { STORE, VOCAB, FINGERPRINT, LOGITS, LABELS, SCORES, N_PARTS };
static const char *const names[N_PARTS] = {"store", "vocab", "fingerprint", "logits", "labels", "scores"};

struct job {
	const char *folder, *tsv;
	struct acts *acts;
	size_t hook;
	struct index_options options;
	bool wanted[N_PARTS], chosen /* by --only */, append;
	f64 factor, strength;
	struct parts parts;
	struct parts_scored scored;
	struct progress progress;
	struct index_report report;
	u64 n_labels;
};

static int read_options(struct job *j, const struct cmd_args *a, struct err *e)
{
	const char *only[16];
	size_t n_only = MIN(arg_all(a, "only", only, ARRAY_LEN(only)), ARRAY_LEN(only));
	u64 contexts;
	j->options = index_defaults;
	if (arg_u64(a, "contexts", j->options.n_top, 1, 100, &contexts, e) ||
	    arg_u64(a, "seed", j->options.seed, 0, UINT64_MAX, &j->options.seed, e) ||
	    arg_f64(a, "factor", SCORES_PUBLISHED_FACTOR, &j->factor, e) || arg_f64(a, "strength", 2, &j->strength, e))
		return -1;
	j->options.n_top = (u32)contexts;
	j->append = arg_flag(a, "append");
	j->tsv = arg_str(a, "labels", NULL);
	j->chosen = n_only > 0;
	for (int p = 0; p < N_PARTS; p++)
		j->wanted[p] = !n_only;
	for (size_t i = 0; i < n_only; i++) {
		int p = 0;
		while (p < N_PARTS && strcmp(names[p], only[i]))
			p++;
		if (p == N_PARTS)
			return err_set(e, ERR_USAGE,
				       "--only wants store, vocab, fingerprint, logits, labels or scores, not '%s'",
				       only[i]);
		j->wanted[p] = true;
	}
	if (arg_flag(a, "no-model") && n_only && (j->wanted[VOCAB] || j->wanted[FINGERPRINT] || j->wanted[LOGITS]))
		return err_set(e, ERR_USAGE, "vocab, fingerprint and logits come from the model, so --no-model leaves "
			       "nothing of them");
	if (arg_flag(a, "no-model"))
		j->wanted[VOCAB] = j->wanted[FINGERPRINT] = j->wanted[LOGITS] = false;
	if (j->wanted[STORE] && a->n_positional < 2)
		return err_set(e, ERR_USAGE,
			       "the store is made from a harvest: featlas index ATLAS OUT.acts");
	return 0;
}

static int open_all(struct job *j, const struct cmd_args *a, struct err *e)
{
	struct parts *p = &j->parts;
	p->progress = &j->progress;
	if (!(p->atlas = atlas_open(j->folder, e)) || !(p->json = atlas_json_read(j->folder, e)))
		return -1;
	atlas_json_new_build(p->json);
	if (j->wanted[STORE]) {
		const char *hook = arg_str(a, "hook", *p->atlas->hook ? p->atlas->hook : NULL);
		if (!(j->acts = acts_open(a->positional[1], e)) || acts_find_hook(j->acts, hook, &j->hook, e))
			return -1;
	}
	p->pool = pool_new(0);
	bool live = j->wanted[VOCAB] || j->wanted[FINGERPRINT] || j->wanted[LOGITS] ||
		     (j->wanted[SCORES] && !arg_flag(a, "no-model"));
	if (!live)
		return 0;
	/* told at once, not after the store is built */
	if (!(p->backend = backend_new(arg_str(a, "backend", NULL), e)))
		return err_wrap(e, "no live model (--no-model leaves out what needs one)");
	backend_watch(p->backend, &j->progress);
	if (backend_connect(p->backend, &j->progress, e))
		return err_wrap(e, "no live model (--no-model leaves out what needs one)");
	return 0;
}

static int make_part(struct job *j, enum part part, struct err *e)
{
	struct parts *p = &j->parts;
	switch (part) {
	case STORE:
		return parts_store(p, j->acts, j->hook, &j->options, j->append, &j->report, e);
	case VOCAB:
		return parts_vocab(p, e);
	case FINGERPRINT:
		return parts_fingerprint(p, e);
	case LOGITS:
		return parts_logits(p, e);
	case LABELS:
		return parts_labels(p, j->tsv, &j->n_labels, e);
	default:
		return parts_scores(p, j->factor, j->strength, &j->scored, e);
	}
}

/* Every part is committed before the next, which may read it; stopped, what is done stands. */
static int make_all(struct job *j, struct err *e)
{
	for (enum part i = STORE; i < N_PARTS; i++) {
		struct parts *p = &j->parts;
		if (!j->wanted[i])
			continue;
		if ((i == LABELS || i == SCORES) && !p->atlas->vocab && !j->chosen) {
			fprintf(stderr,
				"featlas index: no vocabulary yet, so no %s; run it again with a model\n",
				names[i]);
			continue;
		}
		if (make_part(j, i, e)) {
			/* not asked for by name, and nothing else needs it */
			if (i != FINGERPRINT || j->chosen || e->code == ERR_CANCELLED)
				return -1;
			fprintf(stderr, "featlas index: no fingerprint of the model: %s\n", e->msg);
			*e = (struct err){0};
			continue;
		}
		if (atlas_commit(p->json, j->folder, e))
			return -1;
		atlas_free(p->atlas);
		if (!(p->atlas = atlas_open(j->folder, e)))
			return -1;
	}
	return 0;
}

static void print_report(const struct job *j, bool json)
{
	const struct index_report *r = &j->report;
	f64 l0 = r->n_kept ? (f64)r->n_activations / (f64)r->n_kept : 0;
	if (json) {
		cmd_print_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:I}", "n_tokens_indexed",
					 (json_int_t)r->n_tokens, "n_tokens_kept", (json_int_t)r->n_kept,
					 "n_activations", (json_int_t)r->n_activations, "n_contexts",
					 (json_int_t)r->n_contexts, "n_dead", (json_int_t)r->n_dead, "l0", l0,
					 "n_labels", (json_int_t)j->n_labels));
		return;
	}
	if (r->n_tokens)
		printf("%llu tokens, %llu unmasked  %llu activations, l0 %.1f  %llu contexts  %u features "
		       "never fired\n",
		       (unsigned long long)r->n_tokens, (unsigned long long)r->n_kept,
		       (unsigned long long)r->n_activations, l0, (unsigned long long)r->n_contexts,
		       r->n_dead);
	if (j->n_labels)
		printf("%llu labels\n", (unsigned long long)j->n_labels);
}

/* A rank that is not the first has a part in the encoding only. */
static int help(struct job *j, const struct cmd_args *a, struct err *e)
{
	struct parts *p = &j->parts;
	if (!j->wanted[STORE])
		return 0;
	const char *hook = arg_str(a, "hook", NULL);
	if (!(p->atlas = atlas_open(j->folder, e)) || !(j->acts = acts_open(a->positional[1], e)) ||
	    acts_find_hook(j->acts, hook ? hook : *p->atlas->hook ? p->atlas->hook : NULL, &j->hook, e))
		return -1;
	p->pool = pool_new(0);
	char *path = xasprintf("%s/activations.safetensors", j->folder); /* its scratch files go beside it */
	int bad = index_build(p->atlas->dict, j->acts, j->hook, path, &j->options, p->pool, NULL, NULL, e);
	free(path);
	return bad;
}

int cmd_index(const struct cmd_args *a, struct err *e)
{
	struct job j = {.folder = a->positional[0]};
	int bad = read_options(&j, a, e);
	struct cmd_progress *shown = bad || ranks_me() ? NULL : cmd_progress_start(&j.progress);
	if (!bad)
		bad = ranks_me() ? help(&j, a, e) : open_all(&j, a, e) || make_all(&j, e);
	cmd_progress_stop(shown);
	if (!bad && !ranks_me())
		print_report(&j, arg_flag(a, "json"));
	backend_free(j.parts.backend);
	pool_free(j.parts.pool);
	acts_free(j.acts);
	json_decref(j.parts.json);
	atlas_free(j.parts.atlas);
	return bad ? -1 : EXIT_OK;
}
