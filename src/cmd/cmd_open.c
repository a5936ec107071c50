/* SPDX-License-Identifier: MIT */
/* cmd_open.c - what commands on an atlas share: opening it, and a feature as text and JSON. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cmd/cmd.h"
#include "session/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct session *cmd_open(const struct cmd_args *a, struct err *e)
{
	struct session *s = session_open(a->positional[0], arg_str(a, "backend", NULL), e);
	/* a folder that may not be written is no news before someone edits */
	if (s && note_exists(s->note) && note_read_only(s->note)) {
		struct buf why = BUF_INIT;
		utf8_add_safe(&why, note_read_only(s->note), strlen(note_read_only(s->note)));
		fprintf(stderr, "featlas %s: warning: %s\n", a->command, why.s);
		buf_release(&why);
	}
	return s;
}

void cmd_add_text(struct buf *out, const char *s, size_t n)
{
	static int terminal = -1;
	if (terminal < 0)
		terminal = isatty(STDOUT_FILENO);
	if (terminal)
		utf8_add_safe(out, s, n);
	else
		utf8_add_line(out, s, n);
}

void cmd_flush(struct buf *out)
{
	fwrite(out->s, 1, out->n, stdout);
	buf_clear(out);
}

void cmd_set_token(json_t *object, const char *key, const struct session *s, u32 token)
{
	struct span t = s->atlas->vocab ? vocab_bytes(s->atlas->vocab, token) : (struct span){0};
	json_object_set_new(object, key, json_text((const char *)t.p, t.n));
	if (utf8_is_valid((const char *)t.p, t.n))
		return;
	struct buf hex = BUF_INIT;
	for (size_t i = 0; i < t.n; i++)
		buf_addf(&hex, "%02x", t.p[i]);
	json_object_set_new(object, "bytes", json_stringn(hex.s, hex.n));
	buf_release(&hex);
}

static struct store_stats stats_of(const struct session *s, u32 feature)
{
	struct store_stats stats = {.density = NAN, .max = NAN, .mean = NAN};
	if (s->atlas->store)
		store_stats(s->atlas->store, feature, &stats);
	return stats;
}

json_t *cmd_feature_json(struct session *s, u32 feature)
{
	struct label l;
	struct store_stats stats = stats_of(s, feature);
	json_t *j = json_object();
	json_object_set_new(j, "id", json_integer(feature));
	bool has = session_label(s, feature, &l);
	json_object_set_new(j, "label", has ? json_text((const char *)l.text.p, l.text.n) : json_null());
	json_object_set_new(j, "density", json_f32(stats.density));
	json_object_set_new(j, "max", json_f32(stats.max));
	return j;
}

char *cmd_atlas_name(const char *folder)
{
	size_t n = strlen(folder);
	while (n > 1 && folder[n - 1] == '/')
		n--;
	size_t start = n;
	while (start > 0 && folder[start - 1] != '/')
		start--;
	if (n - start > 6 && !strncmp(folder + n - 6, ".atlas", 6))
		n -= 6;
	return xstrndup(folder + start, n - start);
}

void cmd_add_number(struct buf *out, f32 v)
{
	if (isnan(v))
		buf_adds(out, "-");
	else
		buf_addf(out, "%.3g", (f64)v);
}

void cmd_add_feature(struct buf *out, struct session *s, u32 feature)
{
	struct label l;
	struct store_stats stats = stats_of(s, feature);
	buf_addf(out, "#%u\t", feature);
	if (session_label(s, feature, &l))
		cmd_add_text(out, (const char *)l.text.p, l.text.n);
	buf_addc(out, '\t');
	cmd_add_number(out, stats.density);
	buf_addc(out, '\t');
	cmd_add_number(out, stats.max);
	buf_addc(out, '\n');
}
