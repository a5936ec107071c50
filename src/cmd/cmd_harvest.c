/* SPDX-License-Identifier: MIT */
/* cmd_harvest.c - featlas harvest: texts through a live model, their residual rows kept.
 *
 * A text is the unit: an interrupted harvest goes on at the next one.  A module that dies is
 * restarted, and the text it died on tried once more.
 */
#include "cmd/cmd.h"

#include "base/mem.h"
#include "base/sha256.h"
#include "cmd/corpus.h"
#include "core/acts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_HOOKS = 64 };

struct harvest {
	const char *path, *out;
	const char *hooks[MAX_HOOKS];
	char *full[MAX_HOOKS]; /* hooks that were given as a layer's number */
	size_t n_hooks;
	u64 limit, length;
	struct corpus *corpus;
	struct backend *b;
	struct acts_writer *w;
	f32 *rows[MAX_HOOKS]; /* [length][d] */
	u64 n_tokens;
	struct progress p;
};

static int get_hooks(const struct cmd_args *a, struct harvest *h, struct err *e)
{
	h->n_hooks = arg_all(a, "hook", h->hooks, MAX_HOOKS);
	if (!h->n_hooks || h->n_hooks > MAX_HOOKS)
		return err_set(e, ERR_USAGE, "give 1 to %d --hook, such as blocks.22.hook_resid_post",
			       MAX_HOOKS);
	for (size_t i = 0; i < h->n_hooks; i++)
		if (strspn(h->hooks[i], "0123456789") == strlen(h->hooks[i]) && *h->hooks[i])
			h->hooks[i] = h->full[i] = xasprintf("blocks.%s.hook_resid_post", h->hooks[i]);
	return 0;
}

static json_t *about(const struct harvest *h, const char *corpus_sha)
{
	const struct backend_info *i = backend_info(h->b);
	const char *slash = strrchr(h->path, '/'), *name = slash ? slash + 1 : h->path;
	json_t *model =
		json_pack("{s:o, s:s, s:s, s:I, s:I, s:I}", "name", json_text(i->name, strlen(i->name)),
			  "sha256", i->sha256, "tokenizer", i->tokenizer, "d_model", (json_int_t)i->d_model,
			  "n_layers", (json_int_t)i->n_layers, "n_vocab", (json_int_t)i->n_vocab);
	return json_pack("{s:o, s:o, s:I, s:o, s:s}", "model", model, "template",
			 json_text(i->templ, strlen(i->templ)), "context_size", (json_int_t)h->length,
			 "corpus", json_text(name, strlen(name)), "corpus_sha256", corpus_sha);
}

/* A folder that is there must hold a harvest of this corpus, cut to this length. */
static int check_same_corpus(const struct harvest *h, const char *corpus_sha, struct err *e)
{
	char *path = xasprintf("%s/acts.json", h->out);
	bool there = !access(path, F_OK);
	json_t *j = there ? json_read_file(path, e) : NULL;
	free(path);
	if (there && !j)
		return -1;
	bool same = !j || (!strcmp(json_opt_str(j, "corpus_sha256", corpus_sha), corpus_sha) &&
			   json_opt_u64(j, "context_size", h->length) == h->length);
	json_decref(j);
	return same ? 0 : err_set(e, ERR_FAILED, "'%s' holds a harvest of another corpus or length", h->out);
}

static int start(struct harvest *h, struct err *e)
{
	char sha[65];
	if (backend_connect(h->b, &h->p, e) || sha256_file(h->path, sha, &h->p, e) ||
	    check_same_corpus(h, sha, e))
		return -1;
	const struct backend_info *i = backend_info(h->b);
	h->length = MIN(h->length, i->n_ctx);
	for (size_t k = 0; k < h->n_hooks; k++)
		if (!(h->rows[k] = mem_try(h->length, i->d_model * sizeof(f32), "residual rows", e)))
			return -1;
	h->w = acts_writer_open(h->out, about(h, sha), h->hooks, h->n_hooks, i->d_model, e);
	return h->w ? 0 : -1;
}

static int one_text(struct harvest *h, u64 i, struct err *e)
{
	u32 *tokens;
	u8 *flags;
	size_t n;
	if (corpus_tokens(h->corpus, h->b, i, &tokens, &flags, &n, e))
		return -1;
	n = MIN(n, h->length);
	int bad = backend_states(h->b, tokens, n, h->hooks, h->n_hooks, h->rows, e) ||
		  acts_writer_text(h->w, tokens, flags, (const f32 *const *)h->rows, n, e);
	h->n_tokens += bad ? 0 : n;
	free(tokens);
	free(flags);
	return bad ? -1 : 0;
}

/* The texts from the first that is missing on. */
static int all_texts(struct harvest *h, u64 end, struct err *e)
{
	u64 first = acts_writer_texts(h->w);
	progress_start(&h->p, "harvesting", "texts", end > first ? end - first : 0);
	for (u64 i = first; i < end; i++) {
		struct err why = {0};
		if (progress_cancelled(&h->p))
			return err_set(
				e, ERR_CANCELLED,
				"stopped after %llu of %llu texts; the same command goes on from there",
				(unsigned long long)i, (unsigned long long)end);
		int bad = one_text(h, i, &why);
		if (bad && backend_state(h->b) == BACKEND_DIED && why.code != ERR_CANCELLED)
			bad = one_text(h, i, &why);
		if (bad && progress_cancelled(&h->p))
			i--; /* said above */
		else if (bad) {
			if (e)
				*e = why;
			return err_wrap(e, "text %llu", (unsigned long long)i + 1);
		} else
			progress_add(&h->p, 1);
	}
	return 0;
}

static int run(struct harvest *h, struct err *e)
{
	u64 end = h->limit ? MIN(h->limit, corpus_count(h->corpus)) : corpus_count(h->corpus);
	struct err why = {0};
	if (start(h, e))
		return -1;
	u64 before = acts_writer_texts(h->w);
	int bad = all_texts(h, end, &why);
	/* what was done is kept, also when it ends early */
	struct acts_writer *w = h->w;
	h->w = NULL;
	struct err closing = {0};
	if (before < end && acts_writer_close(w, &closing) && !bad) {
		bad = -1;
		why = closing;
	} else if (before >= end)
		acts_writer_abandon(w);
	if (bad && e)
		*e = why;
	return bad;
}

static void report(const struct harvest *h, bool json)
{
	struct err e = {0};
	struct acts *a = acts_open(h->out, &e);
	if (!a) {
		fprintf(stderr, "featlas harvest: %s\n", e.msg);
		return;
	}
	json_t *hooks = json_array();
	for (size_t i = 0; i < acts_n_hooks(a); i++)
		json_array_append_new(hooks, json_pack("{s:s, s:o}", "name", acts_hook(a, i), "norm_median",
						       json_f32(acts_norm_median(a, i))));
	if (json)
		cmd_print_json(json_pack("{s:s, s:I, s:I, s:I, s:o}", "acts", h->out, "n_texts",
					 (json_int_t)acts_n_texts(a), "n_tokens",
					 (json_int_t)acts_n_tokens(a), "n_tokens_new",
					 (json_int_t)h->n_tokens, "hooks", json_incref(hooks)));
	else
		printf("%s: %llu texts, %llu tokens\n", h->out, (unsigned long long)acts_n_texts(a),
		       (unsigned long long)acts_n_tokens(a));
	json_decref(hooks);
	acts_free(a);
}

int cmd_harvest(const struct cmd_args *a, struct err *e)
{
	struct harvest h = {.path = a->positional[0], .out = a->positional[1]};
	struct cmd_progress *shown = NULL;
	int bad = get_hooks(a, &h, e) || arg_u64(a, "limit", 0, 1, UINT64_MAX, &h.limit, e) ||
		  arg_u64(a, "length", 512, 2, 1 << 20, &h.length, e) ||
		  !(h.corpus = corpus_open(h.path, arg_flag(a, "ids"), e)) ||
		  !(h.b = backend_new(arg_str(a, "backend", NULL), e));
	if (!bad) {
		backend_watch(h.b, &h.p);
		shown = cmd_progress_start(&h.p);
		bad = run(&h, e);
		cmd_progress_stop(shown);
	}
	if (!bad)
		report(&h, arg_flag(a, "json"));
	for (size_t i = 0; i < h.n_hooks && i < MAX_HOOKS; i++) {
		free(h.rows[i]);
		free(h.full[i]);
	}
	acts_writer_abandon(h.w);
	backend_free(h.b);
	corpus_free(h.corpus);
	return bad ? -1 : EXIT_OK;
}
