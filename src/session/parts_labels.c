/* SPDX-License-Identifier: MIT */
/* parts_labels.c - the base of labels: automatic ones, and those that ship in a file. */
#include "session/parts.h"

#include "base/mapfile.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "core/label_list.h"
#include "core/topic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct lexical {
	const struct atlas *atlas;
	struct topic_base *base;
	struct progress *progress;
	char **text; /* [F], NULL where a feature has no context */
	f32 *score;
};

static void label_feature(void *context, size_t task, unsigned thread)
{
	(void)thread;
	struct lexical *l = context;
	struct atlas_token t[PARTS_TOKENS];
	u32 ids[PARTS_TOKENS];
	size_t n = MIN(atlas_logits(l->atlas, (u32)task, 1, t, PARTS_TOKENS), (size_t)PARTS_TOKENS);
	for (size_t i = 0; i < n; i++)
		ids[i] = t[i].token;
	struct buf b = BUF_INIT;
	if (topic_label(l->base, (u32)task, ids, n, &b, &l->score[task]))
		l->text[task] = buf_take(&b);
	buf_release(&b);
	progress_add(l->progress, 1);
}

static const char authors[] = "featlas authors"; /* of labels that ship in a file */

static void add(struct label_list *l, const char *text, size_t n, u32 feature, enum label_kind kind,
		const char *source, f32 score)
{
	label_list_add(l, &(struct label){.text = {(const u8 *)text, n}, .feature = feature, .kind = kind,
					  .source = source, .score = score});
}

/* What is not made here stays: imported labels. */
static void keep_others(struct label_list *l, const struct labels *base)
{
	u64 n = base ? labels_count(base) : 0;
	for (u64 i = 0; i < n; i++) {
		struct label x;
		labels_at(base, i, &x);
		if (x.kind != LABEL_LEXICAL && strcmp(x.source, authors))
			label_list_add(l, &x);
	}
}

static int add_line(struct label_list *l, const char *s, size_t n, u32 n_features, const char *path, u64 line,
		    struct err *e)
{
	const char *tab = memchr(s, '\t', n);
	char *end = NULL, number[16] = "";
	if (n && s[n - 1] == '\r')
		n--;
	if (!n || s[0] == '#')
		return 0;
	if (tab && (size_t)(tab - s) < sizeof number)
		memcpy(number, s, (size_t)(tab - s));
	unsigned long id = strtoul(number, &end, 10);
	if (!tab || !*number || *end || id >= n_features)
		return err_set(e, ERR_FAILED,
			       "'%s', line %llu: it wants a feature below %u, a tab and a label", path,
			       (unsigned long long)line, n_features);
	size_t left = n - (size_t)(tab + 1 - s);
	if (!left || !utf8_is_valid(tab + 1, left))
		return err_set(e, ERR_FAILED, "'%s', line %llu: the label is empty or not UTF-8", path,
			       (unsigned long long)line);
	add(l, tab + 1, left, (u32)id, LABEL_PERSON, authors, NAN);
	return 0;
}

static int add_file(struct label_list *l, struct span s, u32 n_features, const char *path, struct err *e)
{
	u64 line = 0;
	for (size_t i = 0; i < s.n;) {
		const u8 *end = memchr(s.p + i, '\n', s.n - i);
		size_t n = end ? (size_t)(end - (s.p + i)) : s.n - i;
		if (add_line(l, (const char *)s.p + i, n, n_features, path, ++line, e))
			return -1;
		i += n + 1;
	}
	return 0;
}

static int label_all(struct parts *p, struct lexical *l, struct err *e)
{
	u32 n_features = p->atlas->n_features;
	const char *lacks = !p->atlas->store ? "store" : !p->atlas->vocab ? "vocab" : NULL;
	if (lacks)
		return err_set(e, ERR_UNAVAILABLE, "%s", atlas_missing(p->atlas, lacks));
	*l = (struct lexical){.atlas = p->atlas, .progress = p->progress};
	if (!(l->base = topic_base_new(p->atlas->store, p->atlas->vocab, e)) ||
	    !(l->text = mem_try(n_features, sizeof *l->text, "labels", e)) ||
	    !(l->score = mem_try(n_features, sizeof *l->score, "labels", e)))
		return -1;
	progress_start(p->progress, "labelling", "features", n_features);
	pool_each(p->pool, n_features, label_feature, l);
	return 0;
}

int parts_labels(struct parts *p, const char *tsv, u64 *n, struct err *e)
{
	struct lexical l = {0};
	struct mapfile *m = tsv ? mapfile_open(tsv, e) : NULL;
	if (tsv && !m)
		return -1;
	struct label_list *all = label_list_new();
	int bad = label_all(p, &l, e);
	if (!bad)
		keep_others(all, p->atlas->labels);
	if (!bad && m)
		bad = add_file(all, mapfile_span(m), p->atlas->n_features, tsv, e);
	for (u32 f = 0; !bad && f < p->atlas->n_features; f++)
		if (l.text[f])
			add(all, l.text[f], strlen(l.text[f]), f, LABEL_LEXICAL, "lexical", l.score[f]);
	label_list_settle(all);
	const struct label *items = label_list_items(all, n);
	if (!bad) {
		char *path = xasprintf("%s/labels.safetensors", p->atlas->folder);
		bad = labels_write(path, items, *n, atlas_json_uuid(p->json), atlas_json_build_id(p->json),
				   e);
		free(path);
	}
	if (!bad)
		bad = atlas_note_part(p->json, p->atlas->folder, "labels", "labels.safetensors", "index",
				      NULL, e);
	for (u32 f = 0; l.text && f < p->atlas->n_features; f++)
		free(l.text[f]);
	free(l.text);
	free(l.score);
	topic_base_free(l.base);
	label_list_free(all);
	mapfile_free(m);
	return bad;
}
