/* SPDX-License-Identifier: MIT */
/* cmd_near.c - near ATLAS ID: a feature's nearest by decoder cosine. */
#include "cmd/cmd.h"

#include "base/buf.h"
#include "base/mem.h"
#include "core/knn.h"
#include "session/session.h"

#include <stdlib.h>
#include <string.h>

/* Those the graph has, if it has k or all there are; else the whole dictionary is compared. */
static i64 find(struct session *s, u32 id, size_t k, struct atlas_neighbour *out, struct err *e)
{
	struct dict *d = s->atlas->dict;
	size_t n = atlas_neighbours(s->atlas, id, out, k);
	if (n == k || (n && n == s->atlas->n_features - 1))
		return (i64)n;
	struct knn_rows rows = {dict_decoder_unit(d, s->pool, e), s->atlas->n_features, dict_info(d)->d_out};
	if (!rows.p)
		return -1;
	const f32 *query = rows.p + (size_t)id * rows.d;
	u32 *ids = xmalloc(k * sizeof *ids);
	f32 *score = xmalloc(k * sizeof *score);
	i64 m = knn_near(&rows, s->pool, query, id, k, ids, score, e);
	for (i64 i = 0; i < m; i++)
		out[i] = (struct atlas_neighbour){ids[i], score[i]};
	free(ids);
	free(score);
	return m;
}

static void print_json(struct session *s, const struct atlas_neighbour *n)
{
	struct label l;
	json_t *j = json_object();
	json_object_set_new(j, "id", json_integer(n->id));
	json_object_set_new(j, "score", json_f32(n->score));
	json_object_set_new(j, "metric", json_string("cosine"));
	json_object_set_new(j, "label",
			    session_label(s, n->id, &l) ? json_text((const char *)l.text.p, l.text.n)
							: json_null());
	json_object_set_new(j, "cosine", json_f32(n->score));
	cmd_print_json(j);
}

static void print_line(struct session *s, const struct atlas_neighbour *n)
{
	struct label l;
	struct buf out = BUF_INIT;
	buf_addf(&out, "#%u\t%.3f\t", n->id, (f64)n->score);
	if (session_label(s, n->id, &l))
		cmd_add_text(&out, (const char *)l.text.p, l.text.n);
	buf_addc(&out, '\n');
	cmd_flush(&out);
	buf_release(&out);
}

int cmd_near(const struct cmd_args *a, struct err *e)
{
	u64 k;
	u32 id;
	struct session *s = NULL;
	if (arg_u64(a, "k", 10, 1, 1u << 20, &k, e) || !(s = cmd_open(a, e)) ||
	    session_parse_id(s, a->positional[1], &id, e)) {
		session_free(s);
		return -1;
	}
	k = MIN(k, (u64)s->atlas->n_features);
	struct atlas_neighbour *out = xcalloc((size_t)k, sizeof *out);
	i64 n = find(s, id, (size_t)k, out, e);
	for (i64 i = 0; i < n; i++)
		(arg_flag(a, "json") ? print_json : print_line)(s, out + i);
	free(out);
	session_free(s);
	return n < 0 ? -1 : n ? EXIT_OK : EXIT_NONE;
}
