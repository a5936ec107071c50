/* SPDX-License-Identifier: MIT */
/* app_compare.c - two features side by side, in a pop-up. */
#include "view/app_private.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

enum { TOKENS = 20, CONTEXTS = 40 };

static f64 cosine(const struct dict *d, u32 a, u32 b)
{
	u32 n = dict_info(d)->d_out;
	f32 *x = xcalloc(n, sizeof *x), *y = xcalloc(n, sizeof *y);
	f64 xy = 0, xx = 0, yy = 0;
	dict_decoder_row(d, a, x);
	dict_decoder_row(d, b, y);
	for (u32 i = 0; i < n; i++) {
		xy += (f64)x[i] * (f64)y[i];
		xx += (f64)x[i] * (f64)x[i];
		yy += (f64)y[i] * (f64)y[i];
	}
	free(x);
	free(y);
	return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

static bool has(const struct atlas_token *list, size_t n, u32 token)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].token == token)
			return true;
	return false;
}

/* The tokens of list a that list b has, or has not. */
static void add_tokens(struct app *app, struct buf *out, const struct atlas_token *a, size_t na,
		       const struct atlas_token *b, size_t nb, bool shared)
{
	size_t n = 0;
	for (size_t i = 0; i < na && n < 8; i++)
		if (has(b, nb, a[i].token) == shared) {
			buf_adds(out, n++ ? ", " : "");
			struct buf token = BUF_INIT;
			session_add_token(app->session, &token, a[i].token);
			buf_adds(out, token.s[0] == ' ' ? token.s + 1 : token.s);
			buf_release(&token);
		}
	buf_adds(out, n ? "\n" : "-\n");
}

static size_t texts_of(const struct store *s, u32 f, u64 *texts)
{
	struct store_context c[CONTEXTS];
	u64 from, to;
	size_t n = MIN(store_contexts(s, f, c, CONTEXTS), (size_t)CONTEXTS), kept = 0;
	for (size_t i = 0; i < n; i++)
		if (c[i].kind == CONTEXT_TOP)
			texts[kept++] = store_text_of(s, c[i].position, &from, &to);
	return kept;
}

static void add_texts(const struct store *s, struct buf *out, u32 a, u32 b)
{
	u64 ta[CONTEXTS], tb[CONTEXTS];
	size_t na = texts_of(s, a, ta), nb = texts_of(s, b, tb), both = 0;
	for (size_t i = 0; i < na; i++) {
		bool found = false;
		for (size_t k = 0; k < nb && !found; k++)
			found = ta[i] == tb[k];
		both += found;
	}
	buf_addf(out, "top contexts       %zu of %zu stand in a text of the other's\n", both, na);
}

static void add_head(struct app *app, struct buf *out, u32 f)
{
	const struct atlas *at = app->session->atlas;
	char *label = session_label_text(app->session, f), density[16] = "-", max[16] = "-";
	struct store_stats st;
	if (at->store) {
		store_stats(at->store, f, &st);
		view_format_density(density, st.density);
		view_format_value(max, st.max);
	}
	buf_addf(out, "#%-6u density %-7s max %-6s %s\n", f, density, max, label);
	free(label);
}

void app_compare(struct app *app, u32 a, u32 b)
{
	const struct atlas *at = app->session->atlas;
	struct atlas_token ta[TOKENS], tb[TOKENS];
	size_t na = atlas_logits(at, a, 1, ta, TOKENS), nb = atlas_logits(at, b, 1, tb, TOKENS);
	struct buf out = BUF_INIT;
	add_head(app, &out, a);
	add_head(app, &out, b);
	buf_addf(&out, "\ndecoder cosine     %.3f\n", cosine(at->dict, a, b));
	if (na && nb) {
		buf_adds(&out, "both promote       ");
		add_tokens(app, &out, ta, na, tb, nb, true);
		buf_addf(&out, "only #%-12u ", a);
		add_tokens(app, &out, ta, na, tb, nb, false);
		buf_addf(&out, "only #%-12u ", b);
		add_tokens(app, &out, tb, nb, ta, na, false);
	}
	if (at->store)
		add_texts(at->store, &out, a, b);
	app_popup(app, "compare", out.s);
	buf_release(&out);
}

void app_compare_selected(struct app *app)
{
	u32 here;
	size_t n = 0;
	if (app_n_marked(app) == 2) {
		u32 *list = app_marked(app, &n);
		app_compare(app, list[0], list[1]);
		free(list);
	} else if (app_n_marked(app) > 2)
		app_message(app, "two can be compared; %zu are marked: z* lets go of them", app_n_marked(app));
	else if (!app_current_feature(app, &here) || app->jump_from == NO_FEATURE || app->jump_from == here)
		app_message(app, "mark two features with Space, or come here from another");
	else
		app_compare(app, app->jump_from, here);
}
