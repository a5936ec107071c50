/* SPDX-License-Identifier: MIT */
/* cmd_effects.c - featlas effects: which features of a prompt move what comes next. */
#include "cmd/cmd.h"

#include "backend/steer.h"
#include "base/buf.h"
#include "base/mem.h"
#include "cmd/live.h"
#include "session/effects.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
	struct session *s;
	struct cmd_live live;
	u32 *tokens;
	u8 *flags;
	size_t n;
	struct effects x;
};

/* "7", or "3-7". */
static int get_range(const struct cmd_args *a, size_t n, struct effects_question *q, struct err *e)
{
	const char *at = arg_str(a, "position", NULL);
	char *end;
	if (!at)
		return 0;
	unsigned long long from = strtoull(at, &end, 10), to = from;
	bool good = *at >= '0' && *at <= '9';
	if (good && *end == '-') {
		good = end[1] >= '0' && end[1] <= '9';
		to = strtoull(end + 1, &end, 10);
	}
	if (!good || *end || from > to || to >= n)
		return err_set(
		    e, ERR_USAGE,
		    "--position is a token of the prompt, 0 to %zu, or a range of them, not '%.40s'",
		    n ? n - 1 : 0, at);
	q->from = (size_t)from;
	q->to = (size_t)to + 1;
	return 0;
}

static int ask(struct job *j, const struct cmd_args *a, struct err *e)
{
	const char *target = arg_str(a, "target", NULL), *against = arg_str(a, "against", NULL);
	struct backend *b = j->live.place.backend;
	if (backend_tokenize(b, a->positional[1], !arg_flag(a, "plain"), &j->tokens, &j->flags, &j->n, e))
		return -1;
	struct effects_question q = {
	    .tokens = j->tokens, .flags = j->flags, .n = j->n, .target = NO_TOKEN, .against = NO_TOKEN};
	if ((target && next_token(b, j->s->atlas, target, &q.target, e)) ||
	    (against && next_token(b, j->s->atlas, against, &q.against, e)))
		return -1;
	if (get_range(a, j->n, &q, e))
		return -1;
	return effects_measure(&j->live.place, &q, &j->x, e);
}

/* ---- as a table ---- */

static void add_token(struct buf *out, const struct job *j, u32 token)
{
	struct span t = vocab_bytes(j->s->atlas->vocab, token);
	buf_addc(out, '"');
	cmd_add_text(out, (const char *)t.p, t.n);
	buf_addc(out, '"');
}

static void print_target(const struct job *j, const char *given)
{
	const struct effects *x = &j->x;
	struct buf out = BUF_INIT;
	buf_adds(&out, "target ");
	add_token(&out, j, x->target);
	buf_addf(&out, ", p %.4f, log p %.3f%s\n", exp((f64)x->target_logp), (f64)x->target_logp,
		 given ? "" : ", the likeliest next token");
	if (x->against != NO_TOKEN) {
		buf_adds(&out, "against ");
		add_token(&out, j, x->against);
		buf_addf(&out, ", p %.4f, log p %.3f, difference %+.3f\n", exp((f64)x->against_logp),
			 (f64)x->against_logp, (f64)x->target_logp - (f64)x->against_logp);
	}
	buf_adds(&out, "likeliest");
	for (size_t i = 0; i < EFFECTS_LIKELY && x->likely[i] != NO_TOKEN; i++) {
		buf_addc(&out, ' ');
		add_token(&out, j, x->likely[i]);
		buf_addf(&out, " %.3f", exp((f64)x->likely_logp[i]));
	}
	buf_addc(&out, '\n');
	cmd_flush(&out);
	buf_release(&out);
}

static void print_feature(const struct job *j, const struct effect *f)
{
	struct buf out = BUF_INIT;
	char *label = session_label_text(j->s, f->id);
	buf_addf(&out, "%+9.4f %4u  %9.3f %4u  %+9.4f %4u  #%-6u ", (f64)f->by[EFFECTS_BY_EFFECT],
		 f->rank[EFFECTS_BY_EFFECT], (f64)f->by[EFFECTS_BY_ACTIVATION],
		 f->rank[EFFECTS_BY_ACTIVATION], (f64)f->by[EFFECTS_BY_ATTRIBUTION],
		 f->rank[EFFECTS_BY_ATTRIBUTION], f->id);
	add_token(&out, j, j->tokens[f->peak]);
	buf_addf(&out, " %u", f->peak);
	if (f->n > 1)
		buf_addf(&out, " +%u", f->n - 1);
	buf_adds(&out, "  ");
	cmd_add_text(&out, label, strlen(label));
	buf_addc(&out, '\n');
	cmd_flush(&out);
	buf_release(&out);
	free(label);
}

static void print_relation(const char *name, const struct effects_relation *r)
{
	const f64 figures[] = {r->pearson, r->spearman, r->pearson_sizes, r->spearman_sizes};
	printf("  %-12s", name);
	for (size_t i = 0; i < ARRAY_LEN(figures); i++)
		printf(isnan(figures[i]) ? "         -" : "%10.2f", figures[i]);
	puts("");
}

static void print_relations(const struct effects *x)
{
	if (!x->n)
		return;
	printf("correlation with the effect     Pearson  Spearman   of sizes: Pearson  Spearman\n");
	for (int last = 0; last < 2; last++) {
		size_t n = last ? x->n_last : x->n;
		if (!n || (last && x->n_last == x->n))
			continue;
		printf(last ? "the %zu features at the last token\n" : "%zu features\n", n);
		print_relation("activation", &x->relation[last][EFFECTS_BY_ACTIVATION]);
		print_relation("attribution", &x->relation[last][EFFECTS_BY_ATTRIBUTION]);
	}
}

static void print_table(struct job *j, const struct cmd_args *a, u64 limit)
{
	const struct effects *x = &j->x;
	print_target(j, arg_str(a, "target", NULL));
	if (x->last_is_template)
		puts("the last token is the chat template's, of a kind the dictionary was not trained on");
	if (x->n)
		puts("   effect rank  activation rank  attribution rank  feature, where, label");
	for (size_t i = 0; i < x->n && i < limit; i++)
		print_feature(j, &x->list[i]);
	if (x->n > limit)
		printf("%zu more\n", x->n - (size_t)limit);
	print_relations(x);
	printf("rows put back unchanged move the target by %.2g\n", x->resolution);
}

/* ---- as JSON ---- */

static json_t *token_json(const struct job *j, u32 token, f32 logp)
{
	json_t *o = json_object();
	cmd_set_token(o, "token", j->s, token);
	json_object_set_new(o, "id", json_integer(token));
	json_object_set_new(o, "logp", json_f32(logp));
	return o;
}

static json_t *relation_json(const struct effects_relation *r)
{
	json_t *o = json_object();
	json_object_set_new(o, "pearson", json_f32((f32)r->pearson));
	json_object_set_new(o, "spearman", json_f32((f32)r->spearman));
	json_object_set_new(o, "pearson_of_sizes", json_f32((f32)r->pearson_sizes));
	json_object_set_new(o, "spearman_of_sizes", json_f32((f32)r->spearman_sizes));
	return o;
}

static json_t *relations_json(const struct effects *x, int last)
{
	return json_pack("{s:I, s:o, s:o}", "features", (json_int_t)(last ? x->n_last : x->n), "activation",
			 relation_json(&x->relation[last][EFFECTS_BY_ACTIVATION]), "attribution",
			 relation_json(&x->relation[last][EFFECTS_BY_ATTRIBUTION]));
}

static json_t *feature_json(const struct job *j, const struct effect *f)
{
	json_t *o = cmd_feature_json(j->s, f->id), *ranks = json_object();
	json_object_set_new(o, "position", json_integer(f->peak));
	cmd_set_token(o, "token", j->s, j->tokens[f->peak]);
	json_object_set_new(o, "positions", json_integer(f->n));
	for (int by = 0; by < EFFECTS_N_RANKS; by++) {
		json_object_set_new(o, effects_rank_names[by], json_f32(f->by[by]));
		json_object_set_new(ranks, effects_rank_names[by], json_integer(f->rank[by]));
	}
	json_object_set_new(o, "rank", ranks);
	return o;
}

static void print_object(struct job *j, const struct cmd_args *a, u64 limit)
{
	const struct effects *x = &j->x;
	json_t *likely = json_array(), *features = json_array();
	for (size_t i = 0; i < EFFECTS_LIKELY && x->likely[i] != NO_TOKEN; i++)
		json_array_append_new(likely, token_json(j, x->likely[i], x->likely_logp[i]));
	for (size_t i = 0; i < x->n && i < limit; i++)
		json_array_append_new(features, feature_json(j, &x->list[i]));
	json_t *o = json_object();
	json_object_set_new(o, "prompt", json_text(a->positional[1], strlen(a->positional[1])));
	json_object_set_new(o, "plain", json_boolean(arg_flag(a, "plain")));
	json_object_set_new(o, "tokens", json_integer((json_int_t)j->n));
	json_object_set_new(o, "positions", json_integer((json_int_t)x->n_positions));
	json_object_set_new(o, "target", token_json(j, x->target, x->target_logp));
	json_object_set_new(
	    o, "against", x->against == NO_TOKEN ? json_null() : token_json(j, x->against, x->against_logp));
	json_object_set_new(o, "likeliest", likely);
	json_object_set_new(o, "resolution", json_f32((f32)x->resolution));
	json_object_set_new(
	    o, "correlations",
	    json_pack("{s:o, s:o}", "all", relations_json(x, 0), "last", relations_json(x, 1)));
	json_object_set_new(o, "features", features);
	cmd_print_json(o);
}

static int get_order(const struct cmd_args *a, enum effects_rank *by, struct err *e)
{
	const char *word = arg_str(a, "by", effects_rank_names[0]);
	for (int i = 0; i < EFFECTS_N_RANKS; i++)
		if (!strcmp(word, effects_rank_names[i])) {
			*by = (enum effects_rank)i;
			return 0;
		}
	return err_set(e, ERR_USAGE, "--by is effect, activation or attribution, not '%.40s'", word);
}

int cmd_effects(const struct cmd_args *a, struct err *e)
{
	struct job j = {0};
	enum effects_rank by = EFFECTS_BY_EFFECT;
	bool json = arg_flag(a, "json");
	u64 limit;
	if (arg_u64(a, "limit", json ? UINT32_MAX : 20, 0, UINT32_MAX, &limit, e) || get_order(a, &by, e) ||
	    !(j.s = cmd_open(a, e)))
		return -1;
	int bad = cmd_live_start(&j.live, a, j.s, e) || ask(&j, a, e);
	cmd_live_stop(&j.live);
	if (!bad) {
		effects_sort(&j.x, by);
		if (json)
			print_object(&j, a, limit);
		else
			print_table(&j, a, limit);
	}
	int status = bad ? -1 : j.x.n ? EXIT_OK : EXIT_NONE;
	effects_release(&j.x);
	free(j.tokens);
	free(j.flags);
	session_free(j.s);
	return status;
}
