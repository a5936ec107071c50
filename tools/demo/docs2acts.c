/* SPDX-License-Identifier: MIT */
/* docs2acts.c - what sample.c wrote, as a folder of activations for train, index and eval.
 *
 * usage: docs2acts OUT.acts ABOUT.json LAYER[,LAYER...] MAX_TEXTS BASE...
 *
 * Reads BASE.docs and BASE.l<LAYER>.f16 of every BASE, as far as they are whole, and writes
 * the texts in the order of their prompts, so that neither the number of samplers nor their
 * speed shows; MAX_TEXTS 0 takes all.  Marks are made from the token ids alone: position 0,
 * special tokens, the chat template around the user's words, the prompt; sinks by the writer.
 */
#include "base/half.h"
#include "base/mapfile.h"
#include "base/mem.h"
#include "core/acts.h"
#include "core/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SmolLM2's vocabulary: 0 to 16 are special, 1 opens a message and 2 ends it. */
enum { N_SPECIAL = 17, IM_START = 1, IM_END = 2, MAX_LAYERS = 8, MAX_BASES = 16 };
/* After the opening: "user" and a newline.  At the prompt's end: <|im_end|>, a newline, the
 * opening, "ass", "istant", a newline. */
enum { HEAD_AFTER_OPENING = 2, TAIL = 6 };

struct doc {
	u32 line, n_prompt, n;
	u64 first_row;
	const u8 *ids; /* u16 [n], unaligned */
	size_t base;
};

struct base {
	struct mapfile *docs, *rows[MAX_LAYERS];
};

static u32 layers[MAX_LAYERS];
static size_t n_layers, n_docs;
static struct doc *docs;
static struct base bases[MAX_BASES];
static u32 d;

static int die(const struct err *e)
{
	fprintf(stderr, "docs2acts: %s\n", e->msg);
	exit(1);
}

static u32 u32_at(const u8 *p)
{
	u32 v;
	memcpy(&v, p, sizeof v);
	return v;
}

static u16 u16_at(const u8 *p)
{
	u16 v;
	memcpy(&v, p, sizeof v);
	return v;
}

static u64 whole_rows(const struct base *b)
{
	u64 least = UINT64_MAX;
	for (size_t i = 0; i < n_layers; i++)
		least = MIN(least, mapfile_span(b->rows[i]).n / (2 * (u64)d));
	return least;
}

static void read_base(size_t at, const char *name)
{
	struct err e = {0};
	struct base *b = &bases[at];
	char *path = xasprintf("%s.docs", name);
	/* the rows are written before the record */
	if (!(b->docs = mapfile_open(path, &e)))
		die(&e);
	free(path);
	for (size_t i = 0; i < n_layers; i++) {
		path = xasprintf("%s.l%u.f16", name, layers[i]);
		if (!(b->rows[i] = mapfile_open(path, &e)))
			die(&e);
		free(path);
	}
	struct span s = mapfile_span(b->docs);
	u64 n_rows = whole_rows(b), row = 0;
	for (size_t i = 0; i + 12 <= s.n;) {
		struct doc x = {
			u32_at(s.p + i), u32_at(s.p + i + 4), u32_at(s.p + i + 8), row, s.p + i + 12, at};
		if (!x.n || x.n > 65536 || x.n_prompt > x.n || 2 * (size_t)x.n > s.n - i - 12 ||
		    row + x.n > n_rows)
			break;
		if (n_docs % 1024 == 0)
			docs = xreallocarray(docs, n_docs + 1024, sizeof *docs);
		docs[n_docs++] = x;
		i += 12 + 2 * (size_t)x.n;
		row += x.n;
	}
}

static int by_line(const void *a, const void *b)
{
	const struct doc *x = a, *y = b;
	return (x->line > y->line) - (x->line < y->line);
}

static void flag(const struct doc *x, const u32 *ids, u8 *flags)
{
	for (u32 i = 0; i < x->n; i++)
		flags[i] = (i ? 0 : TOKEN_FIRST) | (ids[i] < N_SPECIAL ? TOKEN_SPECIAL : 0) |
			   (i < x->n_prompt ? TOKEN_PROMPT : 0);
	if (ids[0] != IM_START)
		return; /* plain text */
	u32 head = 1;
	while (head < x->n_prompt && ids[head] != IM_START)
		head++;
	head = MIN(head + 1 + HEAD_AFTER_OPENING, x->n_prompt);
	for (u32 i = 0; i < head; i++)
		flags[i] |= TOKEN_SPECIAL;
	for (u32 i = x->n_prompt > TAIL ? x->n_prompt - TAIL : 0; i < x->n_prompt; i++)
		flags[i] |= TOKEN_SPECIAL;
}

static void write_doc(struct acts_writer *w, const struct doc *x)
{
	static u32 ids[65536];
	static u8 flags[65536];
	f32 *rows[MAX_LAYERS];
	struct err e = {0};
	for (u32 i = 0; i < x->n; i++)
		ids[i] = u16_at(x->ids + 2 * (size_t)i);
	flag(x, ids, flags);
	for (size_t l = 0; l < n_layers; l++) {
		const u8 *from = mapfile_span(bases[x->base].rows[l]).p + x->first_row * d * 2;
		rows[l] = xcalloc((size_t)x->n * d, sizeof **rows);
		for (size_t i = 0; i < (size_t)x->n * d; i++)
			rows[l][i] = f16_to_f32(u16_at(from + 2 * i));
	}
	if (acts_writer_text(w, ids, flags, (const f32 *const *)rows, x->n, &e))
		die(&e);
	for (size_t l = 0; l < n_layers; l++)
		free(rows[l]);
}

static void read_layers(char *list)
{
	for (char *s = strtok(list, ","); s && n_layers < MAX_LAYERS; s = strtok(NULL, ","))
		layers[n_layers++] = (u32)strtoul(s, NULL, 10);
}

int main(int argc, char **argv)
{
	struct err e = {0};
	u64 width;
	if (argc < 6 || argc - 5 > MAX_BASES) {
		fputs("usage: docs2acts OUT.acts ABOUT.json LAYER[,LAYER...] MAX_TEXTS BASE...\n", stderr);
		return 1;
	}
	json_t *about = json_read_file(argv[2], &e);
	if (!about || json_get_u64(json_object_get(about, "model"), "d_model", 65536, &width, argv[2], &e))
		die(&e);
	d = (u32)width;
	read_layers(argv[3]);
	for (int i = 5; i < argc; i++)
		read_base((size_t)i - 5, argv[i]);
	if (n_docs)
		qsort(docs, n_docs, sizeof *docs, by_line);
	size_t most = strtoul(argv[4], NULL, 10);
	n_docs = most ? MIN(most, n_docs) : n_docs;
	const char *hooks[MAX_LAYERS];
	for (size_t l = 0; l < n_layers; l++)
		hooks[l] = xasprintf("blocks.%u.hook_resid_post", layers[l]);
	struct acts_writer *w = acts_writer_open(argv[1], about, hooks, n_layers, d, &e);
	if (!w)
		die(&e);
	if (acts_writer_texts(w)) {
		err_set(&e, ERR_FAILED, "'%s' is there already", argv[1]);
		die(&e);
	}
	u64 n_tokens = 0;
	for (size_t i = 0; i < n_docs; n_tokens += docs[i++].n)
		write_doc(w, &docs[i]);
	if (acts_writer_close(w, &e))
		die(&e);
	printf("%zu texts, %llu tokens\n", n_docs, (unsigned long long)n_tokens);
	return 0;
}
