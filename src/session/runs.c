/* SPDX-License-Identifier: MIT */
/* runs.c - steering runs as objects: made, kept, found again, compared. */
#include "session/runs.h"

#include "base/mem.h"
#include "base/wordlist.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_number(json_t *j, const char *key, f64 v)
{
	if (isfinite(v))
		json_object_set_new(j, key, json_real(v));
}

static void set_measures(json_t *j, const struct runs_result *r)
{
	if (r->first_difference != RUNS_UNKNOWN)
		json_object_set_new(j, "first_difference",
				    r->first_difference < 0 ? json_null() : json_integer(r->first_difference));
	set_number(j, "change_over_norm", r->change_over_norm);
	set_number(j, "repeated_4grams", r->repeated_4grams);
	set_number(j, "loglik", r->loglik[1]);
	set_number(j, "baseline_loglik", r->loglik[0]);
	if (r->model)
		json_object_set_new(j, "model", json_text(r->model, strlen(r->model)));
	if (r->warning && *r->warning)
		json_object_set_new(j, "warning", json_text(r->warning, strlen(r->warning)));
	if (r->heat)
		json_object_set(j, "heat", r->heat);
}

json_t *runs_json(struct session *s, const struct steer_request *q, const struct runs_result *r, struct err *e)
{
	static const char *const wheres[] = {"reply", "prompt", "both"};
	char hex[65];
	if (steer_hash(s->atlas, q, hex, e))
		return NULL;
	json_t *features = steer_features_json(s->atlas, q), *j = json_object(), *feature;
	size_t i;
	json_array_foreach(features, i, feature) {
		char *label = session_label_text(s, q->specs[i].feature);
		json_object_set_new(feature, "label", json_text(label, strlen(label)));
		free(label);
	}
	json_object_set_new(j, "prompt", json_text(q->prompt, strlen(q->prompt)));
	json_object_set_new(j, "baseline", json_text(r->text[0], r->n[0]));
	json_object_set_new(j, "steered", json_text(r->text[1], r->n[1]));
	json_object_set_new(j, "features", features);
	json_object_set_new(j, "seed", json_integer((json_int_t)q->seed));
	json_object_set_new(j, "temperature", json_f32(q->temperature));
	json_object_set_new(j, "n", json_integer(q->n_tokens));
	json_object_set_new(j, "where", json_string(wheres[q->where]));
	json_object_set_new(j, "chat", json_boolean(q->chat));
	set_measures(j, r);
	json_object_set_new(j, "hash", json_string(hex));
	return j;
}

int runs_keep(struct session *s, const json_t *run, struct err *e)
{
	struct buf text = BUF_INIT;
	json_add_line(&text, run);
	int bad = note_keep_run(s->note, json_opt_str(run, "hash", ""), text.s, e);
	buf_release(&text);
	return bad;
}

bool runs_is_sound(const struct atlas *a, const json_t *run)
{
	const json_t *features = json_object_get(run, "features");
	static const char *const texts[] = {"prompt", "baseline", "steered"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!json_is_string(json_object_get(run, texts[i])))
			return false;
	for (size_t i = 0; i < json_array_size(features); i++)
		if (json_opt_u64(json_array_get(features, i), "id", UINT64_MAX) >= a->n_features)
			return false;
	return json_array_size(features) > 0;
}

const char *runs_where(const json_t *run)
{
	const char *where = json_opt_str(run, "where", "reply");
	return strcmp(where, "both") ? where : "prompt and reply";
}

const char *runs_text(const json_t *run, const char *key)
{
	return json_opt_str(run, key, "");
}

/* ---- all of them ---- */

struct loading {
	const struct atlas *a;
	struct runs *out;
};

static void take(struct loading *l, const char *text, size_t n, i64 when)
{
	struct err e = {0};
	json_t *run = json_parse(text, n, "a kept run", &e);
	const char *hash = runs_text(run, "hash");
	bool good = run && runs_is_sound(l->a, run);
	for (size_t i = 0; good && *hash && i < l->out->n; i++)
		good = strcmp(runs_text(l->out->items[i].run, "hash"), hash) != 0;
	if (!good) {
		json_decref(run);
		return;
	}
	l->out->items = xreallocarray(l->out->items, l->out->n + 1, sizeof *l->out->items);
	l->out->items[l->out->n++] = (struct runs_item){run, when};
}

static void take_kept(void *context, const char *hash, const char *json, i64 when)
{
	(void)hash;
	take(context, json, strlen(json), when);
}

static void take_shipped(struct loading *l)
{
	enum { MOST = 10000 };
	char *line = NULL;
	size_t cap = 0, number = 0;
	ssize_t n;
	FILE *f = l->a->runs ? fopen(l->a->runs, "re") : NULL;
	while (f && (n = getline(&line, &cap, f)) > 0 && number++ < MOST)
		take(l, line, (size_t)n, 0);
	if (f)
		fclose(f);
	free(line);
}

int runs_load(struct note *note, const struct atlas *a, struct runs *out, struct err *e)
{
	*out = (struct runs){0};
	struct loading l = {a, out};
	int bad = note_each_run(note, take_kept, &l, e);
	if (!bad)
		take_shipped(&l);
	return bad;
}

void runs_release(struct runs *r)
{
	for (size_t i = 0; i < r->n; i++)
		json_decref(r->items[i].run);
	free(r->items);
	*r = (struct runs){0};
}

const struct runs_item *runs_find(const struct runs *r, const char *hash, struct err *e)
{
	const struct runs_item *found = NULL;
	size_t n = strlen(hash), digits = strspn(hash, "0123456789abcdef"), hits = 0;
	for (size_t i = 0; i < r->n && n >= 4 && digits == n; i++)
		if (!strncmp(runs_text(r->items[i].run, "hash"), hash, n)) {
			found = &r->items[i];
			hits++;
		}
	if (hits == 1)
		return found;
	if (n < 4 || digits != n)
		err_set(e, ERR_USAGE, "'%.70s' is not the beginning of a run's hash: 4 hexadecimal digits at least", hash);
	else if (hits)
		err_set(e, ERR_USAGE, "%zu runs begin with '%s': give more digits", hits, hash);
	else
		err_set(e, ERR_NOT_FOUND, "there is no run '%s'; 'featlas runs ATLAS' lists them", hash);
	return NULL;
}

/* ---- in words ---- */

void runs_add_features(const json_t *run, struct buf *out)
{
	const json_t *features = json_object_get(run, "features");
	for (size_t i = 0; i < json_array_size(features); i++) {
		const json_t *f = json_array_get(features, i), *strength = json_object_get(f, "strength");
		const char *method = json_opt_str(f, "method", "add"), *when = json_opt_str(f, "if", "");
		buf_addf(out, "%s#%llu", i ? " + " : "", (unsigned long long)json_opt_u64(f, "id", 0));
		if (json_is_string(strength) && strcmp(method, "ablate") != 0)
			buf_addf(out, " %s", json_string_value(strength));
		else if (json_is_number(strength) && strcmp(method, "ablate") != 0)
			buf_addf(out, " %gx", json_number_value(strength));
		buf_addf(out, " %s", method);
		if (*when)
			buf_addf(out, " if %s", when);
	}
}

void runs_add_words(const json_t *run, const char *key, struct buf *out)
{
	const char *s = runs_text(run, key);
	size_t n = strlen(s), at = 0, len = 0, from = out->n;
	while (words_next(s, n, &at, &len)) {
		if (out->n > from)
			buf_addc(out, ' ');
		buf_add(out, s + at, len);
	}
}

static void add_value(const json_t *run, const char *key, const char *absent, struct buf *out)
{
	const json_t *v = json_object_get(run, key);
	if (!strcmp(key, "features"))
		runs_add_features(run, out);
	else if (json_is_string(v))
		buf_adds(out, json_string_value(v));
	else if (json_is_number(v))
		buf_addf(out, "%g", json_number_value(v));
	else
		buf_adds(out, json_is_true(v) ? "yes" : json_is_false(v) ? "no" : absent);
}

void runs_add_differences(const json_t *a, const json_t *b, struct buf *out)
{
	/* what a run leaves out is the usual */
	static const struct { const char *name, *absent; } keys[] = {
		{"prompt", ""}, {"features", ""}, {"seed", "1"},	 {"temperature", "0"},
		{"n", "60"},	{"where", "reply"}, {"chat", "yes"}, {"model", "-"}};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct buf x = BUF_INIT, y = BUF_INIT;
		add_value(a, keys[i].name, keys[i].absent, &x);
		add_value(b, keys[i].name, keys[i].absent, &y);
		if (x.n != y.n || memcmp(x.s, y.s, x.n))
			buf_addf(out, "%s  %s  |  %s\n", keys[i].name, x.s, y.s);
		buf_release(&x);
		buf_release(&y);
	}
}
