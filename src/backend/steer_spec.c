/* SPDX-License-Identifier: MIT */
/* steer_spec.c - what is done to a feature, from text, and what a run is known by. */
#include "backend/steer_impl.h"

#include "base/sha256.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const methods[N_STEER_METHODS] = {"add", "clamp",      "scale", "ablate",
						      "pin", "orthogonal", "cap"};
static const char *const wheres[] = {"reply", "prompt", "both"};

const char *steer_spec_method(enum steer_method m)
{
	return methods[m];
}

bool steer_is_factor(enum steer_method m)
{
	return m == STEER_SCALE || m == STEER_ORTHOGONAL;
}

bool steer_in_maxima(const struct steer_spec *s)
{
	return s->times_max && !steer_is_factor(s->method);
}

static int find(const char *const *words, size_t n, const char *s, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(words[i]) == len && !strncmp(words[i], s, len))
			return (int)i;
	return -1;
}

int steer_parse_id(const char *text, size_t n, const struct atlas *a, u32 *id, struct err *e)
{
	const char *hash = memchr(text, '#', n), *s = hash ? hash + 1 : text;
	size_t name = hash ? (size_t)(hash - text) : 0;
	if (name && (strlen(a->name) != name || strncmp(a->name, text, name)))
		return err_set(e, ERR_NOT_FOUND, "'%.*s' is not the atlas '%s'", (int)name, text, a->name);
	char *end;
	errno = 0;
	unsigned long v = *s >= '0' && *s <= '9' ? strtoul(s, &end, 10) : 0;
	if (*s < '0' || *s > '9' || errno || end != text + n)
		return err_set(e, ERR_USAGE, "'%.*s' is not a feature's number", (int)n, text);
	if (v >= a->n_features)
		return err_set(e, ERR_NOT_FOUND, "there is no feature %lu: the atlas has %u, from 0 on", v,
			       a->n_features);
	*id = (u32)v;
	return 0;
}

static int parse_strength(const char *s, size_t n, struct steer_spec *out, struct err *e)
{
	char *end;
	f32 v = strtof(s, &end);
	out->times_max = end == s + n - 1 && *end == 'x';
	out->strength = v + 0.0F; /* -0 is 0 */
	if (end == s || !isfinite(v) || (end != s + n && !out->times_max))
		return err_set(
			e, ERR_USAGE,
			"'%.*s' is not a strength: '2x' is twice the feature's maximum, '5' a coefficient",
			(int)n, s);
	return 0;
}

static int parse_key(const char *s, size_t n, const struct atlas *a, struct steer_spec *out, struct err *e)
{
	size_t key = strcspn(s, "=");
	const char *value = s + key + 1;
	if (key >= n)
		return err_set(e, ERR_USAGE, "'%.*s' is not key=value", (int)n, s);
	size_t len = n - key - 1;
	if (key == 2 && !strncmp(s, "on", 2)) {
		out->where = find(wheres, ARRAY_LEN(wheres), value, len);
		return out->where >= 0 ? 0
				       : err_set(e, ERR_USAGE, "on is reply, prompt or both, not '%.*s'",
						 (int)len, value);
	}
	if (key == 4 && !strncmp(s, "hook", 4)) {
		if (!len || len >= sizeof out->hook)
			return err_set(e, ERR_USAGE, "hook wants the name of a place, as in hook=blocks.9.hook_resid_post");
		snprintf(out->hook, sizeof out->hook, "%.*s", (int)len, value);
		return 0;
	}
	if (key == 2 && !strncmp(s, "if", 2))
		return steer_if_parse(value, len, a, out, e);
	return err_set(e, ERR_USAGE, "there is no key '%.*s'; there are on, hook and if", (int)key, s);
}

/* Up to the comma that ends a key=value; one in a regex does not. */
static size_t key_length(const char *s, size_t n)
{
	size_t at = 0;
	if (n > 4 && !strncmp(s, "if=/", 4))
		at = 4 + steer_regex_length(s + 4, n - 4);
	const char *comma = at < n ? memchr(s + at, ',', n - at) : NULL;
	return comma ? (size_t)(comma - s) : n;
}

/* The parts after the id, each between colons. */
static int parse_part(int part, const char *s, size_t n, const struct atlas *a, struct steer_spec *out, struct err *e)
{
	int method = find(methods, N_STEER_METHODS, s, n);
	if (part == 1 && n && method < 0)
		return parse_strength(s, n, out, e);
	if (part <= 2) {
		if (n && method < 0)
			return err_set(e, ERR_USAGE, "'%.*s' is no method: add, clamp, scale, ablate, pin, orthogonal, cap",
				       (int)n, s);
		if (n)
			out->method = (enum steer_method)method;
		return 0;
	}
	for (size_t at = 0, len; at < n; at += len + 1) {
		len = key_length(s + at, n - at);
		if (parse_key(s + at, len, a, out, e))
			return -1;
	}
	return 0;
}

int steer_spec_parse(const char *text, const struct atlas *a, struct steer_spec *out, struct err *e)
{
	*out = (struct steer_spec){.strength = 2, .times_max = true, .where = -1};
	size_t n = strcspn(text, ":");
	bool given = false;
	if (steer_parse_id(text, n, a, &out->feature, e))
		return -1;
	const char *s = text + n;
	for (int part = 1; *s; part++) {
		s++;
		/* the last part keeps its colons */
		n = part < 3 ? strcspn(s, ":") : strlen(s);
		if (parse_part(part, s, n, a, out, e))
			return err_wrap(e, "--feature '%.80s'", text);
		bool method = find(methods, N_STEER_METHODS, s, n) >= 0;
		given |= part == 1 && n && !method;
		s += n;
		/* ablate:on=both: keys may follow a method that stands in the strength's place */
		part += part == 1 && method && strcspn(s, "=") < strcspn(s + (*s == ':'), ":");
	}
	if (!given && out->method == STEER_ORTHOGONAL)
		out->strength = 0;
	if (!given && out->method == STEER_CAP)
		out->strength = 1;
	f32 unused;
	return steer_spec_coefficient(out, a, &unused, e);
}

int steer_spec_coefficient(const struct steer_spec *s, const struct atlas *a, f32 *out, struct err *e)
{
	struct store_stats stats;
	*out = s->method == STEER_ABLATE ? 0 : s->strength;
	if (s->method == STEER_ABLATE || !steer_in_maxima(s))
		return 0;
	if (!a->store)
		return err_set(e, ERR_UNAVAILABLE,
			       "strength '%gx' of feature %u counts its maximum, and this atlas has no "
			       "activation store; "
			       "give a coefficient, as in %u:5",
			       (f64)s->strength, s->feature, s->feature);
	store_stats(a->store, s->feature, &stats);
	if (!(stats.max > 0))
		return err_set(e, ERR_UNAVAILABLE,
			       "feature %u never fired, so '%gx' of its maximum is nothing; give a "
			       "coefficient, as in %u:5",
			       s->feature, (f64)s->strength, s->feature);
	*out = s->strength * stats.max;
	return 0;
}

static void add_strength(const struct steer_spec *s, struct buf *out)
{
	steer_add_number(out, s->strength);
	if (steer_in_maxima(s))
		buf_addc(out, 'x');
}

void steer_spec_add(const struct steer_spec *s, struct buf *out)
{
	char sep = ':';
	buf_addf(out, "%u", s->feature);
	if (s->method != STEER_ABLATE) {
		buf_addc(out, ':');
		add_strength(s, out);
	}
	buf_addf(out, ":%s", methods[s->method]);
	if (s->method == STEER_ABLATE && (s->where >= 0 || s->hook[0] || s->condition))
		sep = ':';
	if (s->where >= 0) {
		buf_addf(out, "%con=%s", sep, wheres[s->where]);
		sep = ',';
	}
	if (s->hook[0]) {
		buf_addf(out, "%chook=%s", sep, s->hook);
		sep = ',';
	}
	if (s->condition) {
		buf_addf(out, "%cif=", sep);
		steer_if_add(s, out);
	}
}

json_t *steer_features_json(const struct atlas *a, const struct steer_request *q)
{
	json_t *list = json_array();
	for (size_t i = 0; i < q->n_specs; i++) {
		const struct steer_spec *s = &q->specs[i];
		char strength[32];
		f32 c = NAN;
		steer_spec_coefficient(s, a, &c, NULL);
		snprintf(strength, sizeof strength, "%g%s", (f64)s->strength, steer_in_maxima(s) ? "x" : "");
		json_t *j = json_pack("{s:I, s:s, s:s, s:o}", "id", (json_int_t)s->feature, "method",
				      methods[s->method], "strength", strength, "coefficient", json_f32(c));
		if (s->where >= 0)
			json_object_set_new(j, "on", json_string(wheres[s->where]));
		if (s->hook[0])
			json_object_set_new(j, "hook", json_string(s->hook));
		if (s->condition) {
			struct buf words = BUF_INIT;
			steer_if_add(s, &words);
			json_object_set_new(j, "if", json_text(words.s, words.n));
			buf_release(&words);
		}
		json_array_append_new(list, j);
	}
	return list;
}

int steer_hash(const struct atlas *a, const struct steer_request *q, char hex[65], struct err *e)
{
	f32 c;
	for (size_t i = 0; i < q->n_specs; i++)
		if (steer_spec_coefficient(&q->specs[i], a, &c, e) || steer_if_above(&q->specs[i], a, &c, e))
			return -1;
	struct buf line = BUF_INIT;
	json_t *j = json_pack("{s:s, s:s, s:o, s:o, s:I, s:o, s:I, s:s, s:b}", "atlas", a->uuid, "model",
			      a->model.sha256, "prompt", json_text(q->prompt, strlen(q->prompt)), "features",
			      steer_features_json(a, q), "seed", (json_int_t)q->seed, "temperature",
			      json_f32(q->temperature), "n", (json_int_t)q->n_tokens, "where",
			      wheres[q->where], "chat", (int)q->chat);
	json_add_line(&line, j);
	sha256_bytes(line.s, line.n, hex);
	json_decref(j);
	buf_release(&line);
	return 0;
}
