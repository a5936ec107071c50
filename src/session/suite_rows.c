/* SPDX-License-Identifier: MIT */
/* suite_rows.c - rows of texts: from the cache, or from the model and into it. */
#include "session/suite_rows.h"

#include "base/mem.h"
#include "base/sha256.h"
#include "io/cache.h"
#include "session/reading.h"

#include <stdlib.h>
#include <string.h>

/* All that decides what the rows are. */
static char *make_key(const struct session *s, struct backend *b, const struct suite_concept *c, bool chat)
{
	const struct atlas *a = s->atlas;
	struct buf all = BUF_INIT;
	char texts[65];
	for (size_t i = 0; i < c->n; i++)
		buf_add(&all, c->texts[i].text, strlen(c->texts[i].text) + 1);
	sha256_bytes(all.s, all.n, texts);
	buf_release(&all);
	const char *model = b ? backend_info(b)->sha256 : a->model.sha256;
	return xasprintf("concept rows 1 %s %s %.9g %u %s %s", model, a->hook, (f64)a->norm_median, a->d_model,
			 chat ? "chat" : "plain", texts);
}

static int read_text(struct session *s, struct backend *b, const char *text, bool chat, struct suite_rows *r, size_t i,
		     u64 *cap, struct err *e)
{
	u32 d = s->atlas->d_model;
	struct reading t;
	if (reading_make(s, b, text, chat, &t, e))
		return err_wrap(e, "the text '%.40s'", text);
	if (r->n_rows + t.n > *cap) {
		*cap = 2 * *cap + t.n;
		r->x = xreallocarray(r->x, *cap, d * sizeof *r->x);
	}
	for (size_t k = 0; k < t.n; k++)
		if (!(t.flags[k] & TOKEN_MASKED)) {
			memcpy(r->x + r->n_rows++ * d, t.x + k * d, d * sizeof *r->x);
			r->n[i]++;
		}
	reading_release(&t);
	return 0;
}

struct filling {
	const void *p;
	size_t n;
};

static int fill(struct safetensors_writer *w, void *context, struct err *e)
{
	struct filling *f = context;
	return f->p ? safetensors_writer_add(w, f->p, f->n, e) : err_set(e, ERR_UNAVAILABLE, "not kept");
}

/* The array kept under key, made of p, or not made where p is NULL. */
static struct safetensors *kept(const char *key, const char *what, enum dtype dtype, u64 rows, u64 width, const void *p,
				struct err *e)
{
	struct tensor like = {.dtype = dtype, .n_dims = 2, .shape = {rows, width}, .n = rows * width};
	struct filling f = {p, (size_t)(like.n * dtype_size(dtype))};
	char *whole = xasprintf("%s %s", key, what);
	struct safetensors *s = cache_get(whole, &like, fill, &f, e);
	free(whole);
	return s;
}

/* Whether both arrays were there. */
static bool from_cache(const char *key, u32 d, struct suite_rows *r)
{
	struct safetensors *lengths = kept(key, "lengths", DTYPE_U32, r->n_texts, 1, NULL, NULL);
	if (!lengths)
		return false;
	const struct tensor *t = safetensors_find(lengths, "data");
	for (size_t i = 0; i < r->n_texts; i++)
		r->n_rows += r->n[i] = (u32)tensor_u64(t, i);
	safetensors_free(lengths);
	struct safetensors *rows = kept(key, "rows", DTYPE_F32, r->n_rows, d, NULL, NULL);
	if (rows) {
		r->x = xcalloc(r->n_rows * d + 1, sizeof *r->x);
		tensor_get_f32(safetensors_find(rows, "data"), 0, r->n_rows * d, r->x);
		safetensors_free(rows);
		return true;
	}
	memset(r->n, 0, r->n_texts * sizeof *r->n);
	r->n_rows = 0;
	return false;
}

static int from_model(struct session *s, struct backend *b, const struct suite_concept *c, bool chat, const char *key,
		      struct suite_rows *r, struct err *e)
{
	u64 cap = 0;
	for (size_t i = 0; i < c->n; i++)
		if (read_text(s, b, c->texts[i].text, chat, r, i, &cap, e))
			return -1;
	/* without room or place for them they are read again next time */
	struct safetensors *lengths = kept(key, "lengths", DTYPE_U32, r->n_texts, 1, r->n, NULL);
	if (lengths)
		safetensors_free(kept(key, "rows", DTYPE_F32, r->n_rows, s->atlas->d_model, r->x, NULL));
	safetensors_free(lengths);
	return 0;
}

int suite_rows_read(struct session *s, struct backend *b, const struct suite_concept *c, bool chat, struct suite_rows *out,
		    struct err *e)
{
	*out = (struct suite_rows){.n_texts = c->n, .n = xcalloc(c->n + 1, sizeof *out->n)};
	char *key = make_key(s, b, c, chat);
	int bad = 0;
	if (!from_cache(key, s->atlas->d_model, out))
		bad = b ? from_model(s, b, c, chat, key, out, e)
			: err_set(e, ERR_UNAVAILABLE, "the texts of '%s' have not been read through this model yet; that needs it",
				  c->name);
	free(key);
	if (bad)
		suite_rows_release(out);
	return bad;
}

void suite_rows_release(struct suite_rows *r)
{
	free(r->n);
	free(r->x);
	*r = (struct suite_rows){0};
}
