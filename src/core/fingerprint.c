/* SPDX-License-Identifier: MIT */
/* fingerprint.c - a model's rows of a fixed text: reduced, compared, in JSON. */
#include "core/fingerprint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void fingerprint_reduce(struct fingerprint *f, const f32 *rows, size_t d)
{
	for (size_t i = 0; i < f->n; i++) {
		const f32 *x = rows + i * d;
		f64 square = 0;
		for (size_t k = 0; k < d; k++)
			square += (f64)x[k] * (f64)x[k];
		f->norm[i] = (f32)sqrt(square);
		for (size_t j = 0; j < FINGERPRINT_VALUES; j++)
			f->value[i][j] = x[(2 * j + 1) * d / (2 * FINGERPRINT_VALUES)];
	}
}

f64 fingerprint_distance(const struct fingerprint *want, const struct fingerprint *got, size_t d)
{
	f64 sum = 0;
	/* the first token is a sink in many models: its row is huge and says little of the text */
	for (size_t i = 1; i < want->n; i++) {
		f64 norm = (f64)want->norm[i], square = 0;
		for (size_t j = 0; j < FINGERPRINT_VALUES; j++) {
			f64 apart = (f64)want->value[i][j] - (f64)got->value[i][j];
			square += apart * apart;
		}
		sum += fmax(fabs(norm - (f64)got->norm[i]), sqrt(square * (f64)d / FINGERPRINT_VALUES)) / norm;
	}
	return sum / (f64)(want->n - 1);
}

static void add_hex(char **out, f32 v)
{
	u32 bits;
	memcpy(&bits, &v, sizeof bits);
	for (int i = 0; i < 4; i++, *out += 2)
		snprintf(*out, 3, "%02x", bits >> 8 * i & 0xff);
}

json_t *fingerprint_json(const struct fingerprint *f)
{
	json_t *tokens = json_array(), *rows = json_array();
	for (size_t i = 0; i < f->n; i++) {
		char hex[8 * (1 + FINGERPRINT_VALUES) + 1], *at = hex;
		add_hex(&at, f->norm[i]);
		for (size_t j = 0; j < FINGERPRINT_VALUES; j++)
			add_hex(&at, f->value[i][j]);
		json_array_append_new(tokens, json_integer((json_int_t)f->token[i]));
		json_array_append_new(rows, json_string(hex));
	}
	return json_pack("{s:s, s:s, s:o, s:o}", "text", FINGERPRINT_TEXT, "hook", f->hook, "tokens", tokens, "rows",
			 rows);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *s, f32 *out)
{
	u32 bits = 0;
	for (int i = 0; i < 8; i++) {
		int v = digit(s[i]);
		if (v < 0)
			return false;
		/* bytes from the lowest, digits of a byte from the highest */
		bits |= (u32)v << (8 * (i / 2) + (i % 2 ? 0 : 4));
	}
	memcpy(out, &bits, sizeof bits);
	return isfinite(*out);
}

static bool read_row(const json_t *row, struct fingerprint *f, size_t i)
{
	const char *s = json_string_value(row);
	if (!s || strlen(s) != 8 * (1 + FINGERPRINT_VALUES) || !read_hex(s, &f->norm[i]) || !(f->norm[i] > 0))
		return false;
	for (size_t j = 0; j < FINGERPRINT_VALUES; j++)
		if (!read_hex(s + 8 * (j + 1), &f->value[i][j]))
			return false;
	return true;
}

int fingerprint_read(const json_t *j, struct fingerprint *out, struct err *e)
{
	const json_t *tokens = json_object_get(j, "tokens"), *rows = json_object_get(j, "rows");
	const char *hook = json_opt_str(j, "hook", "");
	*out = (struct fingerprint){.n = json_array_size(rows)};
	bool good = out->n >= 2 && out->n <= FINGERPRINT_TOKENS && json_array_size(tokens) == out->n && *hook &&
		    strlen(hook) < sizeof out->hook;
	snprintf(out->hook, sizeof out->hook, "%s", hook);
	for (size_t i = 0; i < out->n && good; i++) {
		json_int_t t = json_integer_value(json_array_get(tokens, i));
		good = json_is_integer(json_array_get(tokens, i)) && t >= 0 && t < UINT32_MAX &&
		       read_row(json_array_get(rows, i), out, i);
		out->token[i] = (u32)t;
	}
	return good ? 0 : err_set(e, ERR_DAMAGED, "the fingerprint in atlas.json makes no sense");
}
