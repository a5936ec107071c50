/* SPDX-License-Identifier: MIT */
/* cmd_steer.c - featlas steer: what the model says with features turned up or down. */
#include "cmd/cmd.h"

#include "backend/attach.h"
#include "base/mem.h"
#include "session/runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEAT_LIMIT = 32 * 1000 * 1000 /* numbers in an encoder that is run for each token */
};

/* What the streams' tokens fire: featlas-atlas(5), "heat" of runs.jsonl. */
struct heat {
	struct session *s;
	const struct steer_request *q;
	json_t *list[2];
	size_t end[2];
	struct progress *p;
};

static int parse_request(const struct cmd_args *a, struct session *s, struct steer_spec *specs,
			 struct steer_request *q, struct err *e)
{
	static const char *const wheres[] = {"reply", "prompt", "both"};
	const char *given[STEER_MOST_FEATURES], *where = arg_str(a, "where", "reply");
	size_t n = arg_all(a, "feature", given, STEER_MOST_FEATURES);
	u64 tokens, seed;
	f64 temperature;
	*q = (struct steer_request){.prompt = arg_str(a, "prompt", NULL),
				    .chat = !arg_flag(a, "plain"),
				    .specs = specs,
				    .n_specs = n};
	if (!q->prompt || !n)
		return err_set(
			e, ERR_USAGE,
			"--%s is missing; usage: featlas steer ATLAS --prompt TEXT --feature ID[:STRENGTH]",
			q->prompt ? "feature" : "prompt");
	if (n > STEER_MOST_FEATURES)
		return err_set(e, ERR_USAGE, "%zu features at once are more than %d", n, STEER_MOST_FEATURES);
	if (arg_u64(a, "n-tokens", 60, 1, STEER_MOST_TOKENS, &tokens, e) ||
	    arg_u64(a, "seed", 1, 0, INT64_MAX, &seed, e) || arg_f64(a, "temperature", 0, &temperature, e))
		return -1;
	if (temperature < 0 || temperature > STEER_MOST_TEMPERATURE)
		return err_set(e, ERR_USAGE, "--temperature is from 0 to %g, not %g", STEER_MOST_TEMPERATURE,
			       temperature);
	size_t w = 0;
	while (w < ARRAY_LEN(wheres) && strcmp(wheres[w], where))
		w++;
	if (w == ARRAY_LEN(wheres))
		return err_set(e, ERR_USAGE, "--where is reply, prompt or both, not '%s'", where);
	q->where = (enum intervention_where)w;
	q->n_tokens = (u32)tokens;
	q->seed = seed;
	q->temperature = (f32)temperature;
	for (size_t i = 0; i < n; i++)
		if (steer_spec_parse(given[i], s->atlas, &specs[i], e))
			return -1;
	return 0;
}

/* The run as an object, kept in labels.db; NULL and *e. */
static json_t *run_json(struct session *s, const struct steer_request *q, const struct runs_result *r, struct err *e)
{
	struct err why = {0};
	json_t *run = runs_json(s, q, r, e);
	/* the text was paid for: what cannot be kept is shown all the same */
	if (run && runs_keep(s, run, &why))
		fprintf(stderr, "featlas steer: warning: this run is not kept: %s\n", why.msg);
	return run;
}

static struct runs_result result_of(struct session *s, const struct steer_result *r, const char *warning)
{
	return (struct runs_result){.text = {r->text[0].s, r->text[1].s}, .n = {r->text[0].n, r->text[1].n},
				    .first_difference = r->first_difference, .change_over_norm = r->change_over_norm,
				    .repeated_4grams = r->repeated_4grams[1], .loglik = {NAN, NAN},
				    .model = backend_info(s->backend)->name, .warning = warning};
}

/* Lines of the model's, each made safe. */
static void print_text(const char *head, const struct buf *text)
{
	struct buf out = BUF_INIT;
	buf_addf(&out, "%s\n", head);
	for (size_t at = 0; at < text->n;) {
		const char *nl = memchr(text->s + at, '\n', text->n - at);
		size_t n = nl ? (size_t)(nl - text->s) - at : text->n - at;
		buf_adds(&out, "  ");
		cmd_add_text(&out, text->s + at, n);
		buf_addc(&out, '\n');
		at += n + 1;
	}
	cmd_flush(&out);
	buf_release(&out);
}

static void add_features(struct buf *out, struct session *s, const struct steer_request *q)
{
	for (size_t i = 0; i < q->n_specs; i++) {
		f32 c = NAN;
		char *label = session_label_text(s, q->specs[i].feature);
		steer_spec_coefficient(&q->specs[i], s->atlas, &c, NULL);
		buf_addf(out, "#%u %s %.4g  ", q->specs[i].feature, steer_spec_method(q->specs[i].method),
			 (f64)c);
		if (q->specs[i].hook[0]) {
			buf_adds(out, "at ");
			cmd_add_text(out, q->specs[i].hook, strlen(q->specs[i].hook));
			buf_adds(out, "  ");
		}
		if (q->specs[i].condition) {
			struct buf when = BUF_INIT;
			steer_if_add(&q->specs[i], &when);
			buf_adds(out, "if ");
			cmd_add_text(out, when.s, when.n);
			buf_adds(out, "  ");
			buf_release(&when);
		}
		cmd_add_text(out, label, strlen(label));
		buf_addc(out, '\n');
		free(label);
	}
}

static void print_plain(struct session *s, const struct steer_request *q, const struct steer_result *r)
{
	struct buf out = BUF_INIT;
	print_text("baseline", &r->text[0]);
	print_text("\nsteered", &r->text[1]);
	buf_addc(&out, '\n');
	add_features(&out, s, q);
	if (isfinite(r->change_over_norm))
		buf_addf(&out, r->change_over_norm < 1000 ? "change over the median norm %.3f, "
							 : "change over the median norm %.3g, ",
			 r->change_over_norm);
	buf_addf(&out, "repeated 4-grams %.0f %%, ", 100 * r->repeated_4grams[1]);
	bool waits = true;
	for (size_t i = 0; i < q->n_specs; i++)
		waits = waits && q->specs[i].condition;
	if (waits && r->change_over_norm == 0)
		buf_adds(&out, "the condition never held\n");
	else if (r->first_difference < 0)
		buf_adds(&out, "no token differs\n");
	else
		buf_addf(&out, "first difference at token %lld\n", (long long)r->first_difference);
	cmd_flush(&out);
	buf_release(&out);
}

static f32 act_of(const struct dict_row *row, u32 feature)
{
	for (u32 i = 0; i < row->n; i++)
		if (row->id[i] == feature)
			return row->act[i];
	return 0;
}

/* A token's own row comes with the token after it. */
static void add_heat(struct heat *h, int stream, size_t n, const f32 *row)
{
	json_t *list = h->list[stream], *last = json_array_get(list, json_array_size(list) - 1);
	struct dict_row f;
	void *arena = NULL;
	if (last && row && !dict_encode(h->s->atlas->dict, NULL, row, 1, &f, &arena, NULL)) {
		for (size_t i = 0; i < h->q->n_specs; i++)
			json_array_set_new(last, i + 1, json_f32(act_of(&f, h->q->specs[i].feature)));
		free(arena);
	}
	json_t *token = json_array();
	json_array_append_new(token, json_integer((json_int_t)(h->end[stream] += n)));
	for (size_t i = 0; i < h->q->n_specs; i++)
		json_array_append_new(token, json_null());
	json_array_append_new(list, token);
}

static bool on_token(void *context, int stream, u32 token, const char *text, size_t n, const f32 *row)
{
	struct heat *h = context;
	(void)token, (void)text;
	if (h->q->want_rows && row)
		add_heat(h, stream, n, row);
	if (stream == 1)
		progress_add(h->p, 1);
	return !progress_cancelled(h->p);
}

/* One run into r, or n seeds into best. */
static int generate(struct session *s, const struct steer_request *q, struct steer_result *r, struct steer_best *best,
		    size_t n, struct heat *heat, char warning[ATTACH_WARNING], struct err *e)
{
	struct progress p = {0};
	heat->p = &p;
	struct backend *b = session_backend(s, e);
	if (!b)
		return -1;
	struct cmd_progress *shown = cmd_progress_start(&p);
	int bad = attach_model(b, s->atlas, &p, warning, e);
	progress_start(&p, "generating", "tokens", q->n_tokens * MAX(n, (size_t)1));
	bad = bad || (n ? steer_best(b, s->atlas, q, n, on_token, heat, best, e)
			: steer_generate(b, s->atlas, q, on_token, heat, r, e));
	cmd_progress_stop(shown);
	detach_model(b);
	return bad ? -1 : 0;
}

static int show_one(struct session *s, const struct steer_request *q, const struct steer_result *r, struct heat *heat,
		    const char *warning, bool json, struct err *e)
{
	struct runs_result result = result_of(s, r, warning);
	json_t *both = json_pack("{s:O, s:O}", "baseline", heat->list[0], "steered", heat->list[1]);
	result.heat = q->want_rows ? both : NULL;
	json_t *run = run_json(s, q, &result, e);
	json_decref(both);
	if (!run)
		return -1;
	if (!json) {
		print_plain(s, q, r);
		json_decref(run);
		return EXIT_OK;
	}
	/* what is not known stands as null in what is printed */
	if (!json_object_get(run, "change_over_norm"))
		json_object_set_new(run, "change_over_norm", json_null());
	cmd_print_json(run);
	return EXIT_OK;
}

static void print_best(const struct steer_best *b, size_t number)
{
	char head[160];
	snprintf(head, sizeof head, "%s%zu. seed %llu  %.2f nats a token (baseline %.2f), repeated 4-grams %.0f %%",
		 number > 1 ? "\n" : "", number, (unsigned long long)b->seed, b->loglik[1], b->loglik[0],
		 100 * b->repeated_4grams[1]);
	print_text(head, &b->text[1]);
}

/* The likeliest first, an object a line in JSON. */
static int show_best(struct session *s, const struct steer_request *q, const struct steer_best *best, size_t n,
		     const char *warning, bool json, struct err *e)
{
	struct steer_request one = *q;
	struct buf out = BUF_INIT;
	for (size_t i = 0; i < n; i++) {
		const struct steer_best *b = &best[i];
		one.seed = b->seed;
		json_t *run = run_json(s, &one, &(struct runs_result){
			.text = {b->text[0].s, b->text[1].s}, .n = {b->text[0].n, b->text[1].n},
			.first_difference = b->first_difference, .change_over_norm = NAN,
			.repeated_4grams = b->repeated_4grams[1], .loglik = {b->loglik[0], b->loglik[1]},
			.model = backend_info(s->backend)->name, .warning = warning}, e);
		if (!run)
			return -1;
		if (json) {
			cmd_print_json(run);
			continue;
		}
		json_decref(run);
		print_best(b, i + 1);
	}
	if (!json) {
		buf_addc(&out, '\n');
		add_features(&out, s, q);
		cmd_flush(&out);
	}
	buf_release(&out);
	return EXIT_OK;
}

static int steer(struct session *s, const struct steer_request *q, size_t n, bool json, struct err *e)
{
	struct heat heat = {.s = s, .q = q, .list = {json_array(), json_array()}};
	struct steer_result r = {.text = {BUF_INIT, BUF_INIT}};
	struct steer_best *best = xcalloc(n + 1, sizeof *best);
	char warning[ATTACH_WARNING] = "";
	int status = -1;
	if (!generate(s, q, &r, best, n, &heat, warning, e)) {
		if (warning[0])
			fprintf(stderr, "featlas steer: warning: %s\n", warning);
		status = n ? show_best(s, q, best, n, warning, json, e) : show_one(s, q, &r, &heat, warning, json, e);
	}
	json_decref(heat.list[0]);
	json_decref(heat.list[1]);
	steer_result_release(&r);
	steer_best_release(best, n);
	free(best);
	return status;
}

int cmd_steer(const struct cmd_args *a, struct err *e)
{
	struct steer_spec specs[STEER_MOST_FEATURES];
	struct steer_request q;
	u64 n = 0;
	struct session *s = cmd_open(a, e);
	if (!s)
		return -1;
	bool bad = parse_request(a, s, specs, &q, e) != 0 || arg_u64(a, "best", 0, 2, STEER_MOST_SEEDS, &n, e);
	q.want_rows = !n && (u64)s->atlas->n_features * s->atlas->d_model <= HEAT_LIMIT;
	int status = bad ? -1 : steer(s, &q, n, arg_flag(a, "json"), e);
	session_free(s);
	return status;
}
