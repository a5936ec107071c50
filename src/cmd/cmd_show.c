/* SPDX-License-Identifier: MIT */
/* cmd_show.c - everything about one feature, as a page or as JSON. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cmd/cmd.h"
#include "cmd/show.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const context_kind_names[] = {
	[CONTEXT_TOP] = "top", [CONTEXT_INTERVAL] = "interval", [CONTEXT_RANDOM] = "random"};

/* width tokens around the peak, no further than its text. */
static void read_contexts(struct shown *f, u64 width)
{
	const struct store *store = f->s->atlas->store;
	struct store_context *c = xcalloc(SHOW_CONTEXTS, sizeof *c);
	f->n_contexts = MIN(store_contexts(store, f->id, c, SHOW_CONTEXTS), (size_t)SHOW_CONTEXTS);
	f->contexts = xcalloc(f->n_contexts + 1, sizeof *f->contexts);
	for (size_t i = 0; i < f->n_contexts; i++) {
		struct shown_context *o = &f->contexts[i];
		u64 start, end, peak = c[i].position;
		o->c = c[i];
		o->text = store_text_of(store, peak, &start, &end);
		o->from = peak - MIN(peak - start, width / 2);
		o->to = MAX(MIN(end, peak + 1 + (width - width / 2)), o->from);
	}
	free(c);
}

static void read_feature(struct shown *f, u64 width)
{
	const struct atlas *a = f->s->atlas;
	f->stats = (struct store_stats){.density = NAN, .max = NAN, .mean = NAN};
	if (a->store) {
		store_stats(a->store, f->id, &f->stats);
		f->n_bins = store_histogram(a->store, f->id, f->edges, f->counts, SHOW_BINS);
		read_contexts(f, width);
	}
	atlas_scores(a, f->id, &f->scores);
	f->n_promoted = atlas_logits(a, f->id, 1, f->promoted, SHOW_TOKENS);
	f->n_suppressed = atlas_logits(a, f->id, -1, f->suppressed, SHOW_TOKENS);
	f->n_topic = atlas_topic_words(a, f->id, f->topic, SHOW_TOKENS);
	f->n_neighbours = atlas_neighbours(a, f->id, f->neighbours, SHOW_NEIGHBOURS);
}

/* The page. */

struct page {
	const struct shown *f;
	struct buf *out;
	size_t n_labels;
};

static void add_label(void *context, const struct label *l)
{
	struct page *p = context;
	struct buf *out = p->out;
	bool first = !p->n_labels++, rejected = session_is_rejected(p->f->s, p->f->id);
	buf_addf(out, "%s", first && !rejected ? " " : rejected ? "  rejected: " : "  also: ");
	utf8_add_safe(out, (const char *)l->text.p, l->text.n);
	buf_addf(out, "  (%s", label_kind_words[l->kind]);
	if (strcmp(l->source, label_kind_words[l->kind])) {
		buf_adds(out, ", ");
		utf8_add_safe(out, l->source, strlen(l->source));
	}
	buf_adds(out, ")\n");
}

static void add_people(struct buf *out, struct note *n, u32 id)
{
	int rating = note_rating(n, id);
	char *tags = note_tags(n, id), *text = note_note(n, id);
	if (rating)
		buf_addf(out, "  rating %d of 5\n", rating);
	if (tags) {
		buf_adds(out, "  tags ");
		utf8_add_safe(out, tags, strlen(tags));
		buf_addc(out, '\n');
	}
	if (text) {
		buf_adds(out, "  note: ");
		utf8_add_safe(out, text, strlen(text));
		buf_addc(out, '\n');
	}
	free(tags);
	free(text);
}

static void add_histogram(struct buf *out, const struct shown *f)
{
	static const char bars[8][4] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	u64 most = 0;
	for (size_t i = 0; i < f->n_bins; i++)
		most = MAX(most, f->counts[i]);
	for (size_t i = 0; most && i < f->n_bins; i++) {
		f64 share = (f64)f->counts[i] / (f64)most;
		buf_adds(out, f->counts[i] ? bars[MIN((int)(share * 8), 7)] : " ");
	}
}

static void add_numbers(struct buf *out, const struct shown *f)
{
	const struct { const char *name; f32 v; } numbers[] = {
		{"density", f->stats.density}, {"max", f->stats.max}, {"detects", f->scores.input},
		{"writes", f->scores.topic}, {"output", f->scores.output}, {"tuned", f->scores.tuned},
	};
	buf_adds(out, "  ");
	size_t n = ARRAY_LEN(numbers) - !!isnan(f->scores.tuned); /* only where the factor was looked for */
	for (size_t i = 0; i < n; i++) {
		buf_addf(out, "%s%s ", i ? "  " : "", numbers[i].name);
		cmd_add_number(out, numbers[i].v);
	}
	buf_adds(out, "\n");
	if (f->s->atlas->store && !f->stats.count)
		buf_adds(out, "  never fires on the indexed tokens\n");
	if (f->n_bins) {
		buf_addf(out, "  0 ");
		add_histogram(out, f);
		buf_addc(out, ' ');
		cmd_add_number(out, f->edges[f->n_bins]);
		buf_addc(out, '\n');
	}
}

static void add_tokens(struct buf *out, const struct shown *f, const char *name, const struct atlas_token *t, size_t n)
{
	if (!n)
		return;
	buf_addf(out, "%s ", name);
	for (size_t i = 0; i < MIN(n, (size_t)10); i++) {
		struct buf text = BUF_INIT;
		session_add_token(f->s, &text, t[i].token);
		buf_addf(out, " %s %.2g ", text.s + (text.s[0] == ' '), (f64)t[i].value);
		buf_release(&text);
	}
	buf_adds(out, "\n");
}

static void add_topic(struct buf *out, const struct shown *f)
{
	if (!f->n_topic)
		return;
	buf_adds(out, "topic     ");
	for (size_t i = 0; i < f->n_topic; i++) {
		struct buf text = BUF_INIT;
		session_add_token(f->s, &text, f->topic[i]);
		buf_addf(out, " %s", text.s + (text.s[0] == ' '));
		buf_release(&text);
	}
	buf_adds(out, "\n");
}

static void add_context(struct buf *out, const struct shown *f, const struct shown_context *c)
{
	const struct store *store = f->s->atlas->store;
	u64 start, end;
	store_text_of(store, c->c.position, &start, &end);
	buf_addf(out, "%6.2f  %s", (f64)c->c.act, c->from > start ? "…" : "");
	for (u64 i = c->from; i < c->to; i++) {
		buf_adds(out, i == c->c.position ? "⟦" : "");
		session_add_token(f->s, out, store_token(store, i));
		buf_adds(out, i == c->c.position ? "⟧" : "");
	}
	buf_adds(out, c->to < end ? "…\n" : "\n");
}

static void add_contexts(struct buf *out, const struct shown *f, u64 limit)
{
	int kind = -1, interval = -1;
	u64 n = 0;
	for (size_t i = 0; i < f->n_contexts; i++) {
		const struct store_context *c = &f->contexts[i].c;
		if ((int)c->kind != kind || (c->kind == CONTEXT_INTERVAL && c->interval != interval)) {
			kind = (int)c->kind;
			interval = c->interval;
			n = 0;
			buf_addf(out, "\n%s", context_kind_names[c->kind]);
			if (c->kind == CONTEXT_INTERVAL)
				buf_addf(out, " %d", interval + 1);
			buf_addc(out, '\n');
		}
		if (n++ < limit)
			add_context(out, f, &f->contexts[i]);
	}
}

static void add_neighbours(struct buf *out, const struct shown *f)
{
	if (!f->n_neighbours)
		return;
	buf_adds(out, "\nneighbours by decoder cosine\n");
	for (size_t i = 0; i < f->n_neighbours; i++) {
		char *label = session_label_text(f->s, f->neighbours[i].id);
		buf_addf(out, "%6.2f  #%u %s\n", (f64)f->neighbours[i].score, f->neighbours[i].id, label);
		free(label);
	}
}

static void print_page(const struct shown *f, u64 limit)
{
	static const char *const parts[] = {"store", "logits", "graph"};
	struct buf out = BUF_INIT;
	struct page p = {f, &out, 0};
	buf_addf(&out, "#%u", f->id);
	session_each_label(f->s, f->id, add_label, &p);
	if (!p.n_labels)
		buf_adds(&out, "  no label\n");
	add_people(&out, f->s->note, f->id);
	add_numbers(&out, f);
	add_tokens(&out, f, "promotes  ", f->promoted, f->n_promoted);
	add_tokens(&out, f, "suppresses", f->suppressed, f->n_suppressed);
	add_topic(&out, f);
	add_contexts(&out, f, limit);
	add_neighbours(&out, f);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (atlas_missing(f->s->atlas, parts[i]))
			buf_addf(&out, "%s\n", atlas_missing(f->s->atlas, parts[i]));
	cmd_flush(&out);
	buf_release(&out);
}

int cmd_show(const struct cmd_args *a, struct err *e)
{
	struct shown *f = xcalloc(1, sizeof *f);
	u64 width, limit;
	int status = -1;
	if (arg_u64(a, "width", 20, 0, 4096, &width, e) || arg_u64(a, "limit", 10, 0, UINT64_MAX, &limit, e))
		goto out;
	f->s = cmd_open(a, e);
	if (!f->s || session_parse_id(f->s, a->positional[1], &f->id, e))
		goto out;
	read_feature(f, width);
	if (arg_flag(a, "json"))
		cmd_print_json(show_json(f));
	else
		print_page(f, limit);
	status = EXIT_OK;
out:
	session_free(f->s);
	free(f->contexts);
	free(f);
	return status;
}
