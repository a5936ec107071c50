/* SPDX-License-Identifier: MIT */
/* view.c - drawing that several views share: labels, numbers, tokens with heat. */
#include "view/view.h"

#include "base/mem.h"
#include "base/shell.h"
#include "session/next.h"
#include "ui/words.h"
#include "view/app.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void strip_zero(char *s)
{
	char *at = s[0] == '-' ? s + 1 : s;
	if (at[0] == '0' && at[1] == '.')
		memmove(at, at + 1, strlen(at));
}

void view_format_density(char out[16], f32 x)
{
	if (isnan(x))
		strcpy(out, "-");
	else if (x <= 0)
		strcpy(out, "0");
	else {
		char b[32];
		snprintf(b, sizeof b, "%.1e", (f64)x);
		char *e = strchr(b, 'e');
		snprintf(out, 16, "%.*se%d", (int)(e - b), b, atoi(e + 1));
	}
}

void view_format_value(char out[16], f32 x)
{
	f64 a = fabs((f64)x);
	if (isnan(x) || a == 0)
		strcpy(out, isnan(x) ? "-" : "0");
	else if (a >= 99999.5)
		snprintf(out, 16, "%.0e", (f64)x);
	else
		snprintf(out, 16, a < 9.995 ? "%.2f" : a < 99.95 ? "%.1f" : "%.0f", (f64)x);
}

void view_format_score(char out[16], f32 x)
{
	if (isnan(x))
		strcpy(out, "-");
	else if (fabs((f64)x) >= 0.995)
		snprintf(out, 16, "%.1f", (f64)x);
	else {
		/* what rounds to nothing has no sign */
		snprintf(out, 16, "%.2f", fabs((f64)x) < 0.005 ? 0.0 : (f64)x);
		strip_zero(out);
	}
}

void view_format_signed(char out[16], f32 x)
{
	f64 a = fabs((f64)x);
	if (isnan(x) || a < 0.0005)
		strcpy(out, isnan(x) ? "-" : "0");
	else if (a >= 99999.5)
		snprintf(out, 16, "%+.0e", (f64)x);
	else {
		snprintf(out, 16, a < 0.9995 ? "%+.3f" : a < 9.995 ? "%+.2f" : a < 99.95 ? "%+.1f" : "%+.0f", (f64)x);
		if (a < 0.9995) /* "+0.280" */
			memmove(out + 1, out + 2, strlen(out + 1));
	}
}

void view_add_token_option(struct view *v, struct buf *out, const char *name, u32 token)
{
	const struct atlas *a = app_session(v->app)->atlas;
	struct span t = a->vocab && token != NO_TOKEN ? vocab_bytes(a->vocab, token) : (struct span){0};
	if (!t.n)
		return;
	char *text = xstrndup((const char *)t.p, t.n);
	buf_addf(out, " --%s ", name);
	shell_add_word(out, text);
	free(text);
}

static enum style label_style(const struct label *l)
{
	return l->kind == LABEL_PERSON	  ? STYLE_LABEL_PERSON
	       : l->kind == LABEL_MACHINE ? STYLE_LABEL
					  : STYLE_LABEL_AUTO;
}

static void underline_match(struct view *v, struct rect r, int x, int y, int used, const char *s, size_t n)
{
	const struct search_pattern *p = app_pattern(v->app);
	size_t start, end;
	if (!p || search_match(p, s, n, &start, &end) != 1 || end <= start)
		return;
	int from = text_width(s, start), to = text_width(s, end);
	if (from < used)
		rect_restyle(r, x + from, y, MIN(to, used) - from, STYLE_HIT);
}

int view_put_label(struct view *v, struct rect r, int x, int y, int max, u32 feature)
{
	struct session *session = app_session(v->app);
	struct label l;
	if (!app_has(v->app, feature, ATLAS_LABELS))
		return rect_put_cut(r, x, y, max, STYLE_DIM, "\u2026", 3);
	if (!session_label(session, feature, &l)) {
		const char *none = session_is_rejected(session, feature) ? "(rejected)" : "-";
		return rect_put_cut(r, x, y, max, STYLE_DIM, none, strlen(none));
	}
	const char *s = (const char *)l.text.p;
	int used = rect_put_cut(r, x, y, max, label_style(&l), s, l.text.n);
	if (app_is_hit(v->app, feature))
		underline_match(v, r, x, y, used, s, l.text.n);
	return used;
}

int view_put_feature(struct view *v, struct rect r, int x, int y, int max, u32 feature)
{
	char id[16];
	int n = snprintf(id, sizeof id, "#%u", feature);
	int used = rect_put(r, x, y, max, STYLE_ID, id, (size_t)n);
	if (max >= 0 && used + 2 >= max)
		return used;
	used++;
	return used + view_put_label(v, r, x + used, y, max < 0 ? -1 : max - used, feature);
}

/* Values in the other convention are those shown as stored times this. */
static f32 fold_factor(const struct atlas *a, u32 feature)
{
	const struct dict *dict = a->dict;
	const struct dict_info *d = dict_info(dict);
	if (atlas_as_published(a))
		return 1;
	f32 *row = xcalloc(d->d_out, sizeof *row);
	f64 sum = 0;
	dict_decoder_row(dict, feature, row);
	for (u32 i = 0; i < d->d_out; i++)
		sum += (f64)row[i] * (f64)row[i];
	free(row);
	if (!(sum > 0))
		return 1;
	return (f32)(d->rescale_by_decoder_norm ? 1 / sqrt(sum) : sqrt(sum));
}

f32 view_fold(struct view *v, u32 feature)
{
	return app_setting_number(v->app, SET_FOLD) ? fold_factor(app_session(v->app)->atlas, feature) : 1;
}

static void add_number(struct buf *out, f32 x)
{
	if (isnan(x))
		buf_adds(out, "-");
	else
		buf_addf(out, "%.9g", (f64)x);
}

void view_add_value(struct view *v, struct buf *out, u32 feature, f32 x)
{
	const struct atlas *a = app_session(v->app)->atlas;
	bool folded = dict_info(a->dict)->rescale_by_decoder_norm;
	add_number(out, x);
	if (isnan(x) || atlas_as_published(a) || !dict_info(a->dict)->d_out)
		return;
	buf_addf(out, ", %s ", folded ? "unfolded" : "folded");
	add_number(out, x * fold_factor(a, feature));
}

void view_add_scores(struct view *v, struct buf *out, u32 feature)
{
	const struct atlas *a = app_session(v->app)->atlas;
	struct atlas_scores s;
	atlas_scores(a, feature, &s);
	const struct {
		const char *name;
		f32 x;
	} list[] = {{"detects ", s.input}, {"\noutput  ", s.output}, {"\nwrites  ", s.topic}};
	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		buf_adds(out, list[i].name);
		add_number(out, list[i].x);
	}
	buf_addc(out, '\n');
	atlas_add_command(a, "show", out);
	buf_addf(out, " %u --json", feature);
}

int view_put_sentence(struct rect r, int x, int y, const char *sentence)
{
	return MIN(words_sentence(r, x, y, STYLE_DIM, sentence), MAX(r.h - y, 0));
}

int view_put_logits(struct view *v, struct rect r, int x, int y, int max, const struct atlas_token *t,
		    size_t n)
{
	struct buf b = BUF_INIT;
	int used = 0;
	for (size_t i = 0; i < n; i++) {
		char value[16];
		buf_clear(&b);
		session_add_token(app_session(v->app), &b, t[i].token);
		const char *s = b.s + strspn(b.s, " ");
		snprintf(value, sizeof value, fabs((f64)t[i].value) < 0.095 ? "%.2f" : "%.1f",
			 (f64)t[i].value);
		strip_zero(value);
		int w = text_width(s, strlen(s)), need = w + 1 + (int)strlen(value);
		if (used + need + (i ? 2 : 0) > max - 2) {
			if (i && used + 2 <= max)
				used += rect_puts(r, x + used, y, STYLE_DIM, " >");
			else if (!i)
				used += rect_put_cut(r, x, y, MAX(max, 0), STYLE_NORMAL, s, strlen(s));
			break;
		}
		used += i ? 2 : 0;
		used += rect_puts(r, x + used, y, STYLE_NORMAL, s) + 1;
		used += rect_puts(r, x + used, y, STYLE_NUMBER, value);
	}
	buf_release(&b);
	return used;
}

int view_put_promoted(struct view *v, struct rect r, int y, u32 feature)
{
	const struct atlas *a = app_session(v->app)->atlas;
	struct atlas_token t[20];
	if (!app_has(v->app, feature, ATLAS_LOGITS))
		return rect_puts(r, 1, y, STYLE_DIM, "promotes \u2026") > 0;
	size_t n = atlas_logits(a, feature, 1, t, ARRAY_LEN(t));
	int half = r.w >= 60 ? r.w * 3 / 5 : r.w;
	if (!n)
		return view_put_sentence(r, 1, y, atlas_missing(a, "logits") ? atlas_missing(a, "logits") : "-");
	int x = 1 + rect_puts(r, 1, y, STYLE_DIM, "promotes ");
	view_put_logits(v, r, x, y, half - x - 1, t, n);
	n = atlas_logits(a, feature, -1, t, ARRAY_LEN(t));
	if (half < r.w && n) {
		x = half + rect_puts(r, half, y, STYLE_DIM, "suppresses ");
		view_put_logits(v, r, x, y, r.w - x - 1, t, n);
	}
	return 1;
}

/* ---- tokens ---- */

/* A token's own blank before it stays plain where it is singled out: the word is what is meant. */
static int put_token(struct rect r, int x, int y, int max, enum style s, const char *text, size_t n)
{
	bool single = s == STYLE_PEAK || s == STYLE_TOKEN;
	if (!single || n < 2 || text[0] != ' ' || max < 2)
		return rect_put(r, x, y, max, s, text, n);
	rect_put(r, x, y, 1, STYLE_NORMAL, " ", 1);
	return 1 + rect_put(r, x + 1, y, max - 1, s, text + 1, n - 1);
}

static enum style token_style(const struct view_tokens *t, size_t i)
{
	if ((int)i == t->cursor)
		return STYLE_TOKEN;
	if ((int)i == t->peak && !(t->acts && t->acts[i] <= 0))
		return STYLE_PEAK;
	if (t->flags && (t->flags[i] & TOKEN_MASKED))
		return STYLE_MASKED;
	return t->acts && t->max > 0 ? style_heat(t->acts[i] / t->max) : STYLE_NORMAL;
}

static int token_width(struct view *v, u32 token, struct buf *b)
{
	buf_clear(b);
	session_add_token(app_session(v->app), b, token);
	return text_width(b->s, b->n);
}

int view_put_tokens(struct view *v, struct rect r, int x, int y, int max, const struct view_tokens *t,
		    size_t first)
{
	struct buf b = BUF_INIT;
	int used = 0;
	if (max < 0 || max > r.w - x)
		max = r.w - x;
	for (size_t i = first; i < t->n; i++) {
		int w = token_width(v, t->tokens[i], &b);
		const char *s = b.s;
		size_t n = b.n;
		if (i == first && n > 1 && s[0] == ' ')
			s++, n--, w--;
		if (used + w > max) {
			put_token(r, x + used, y, max - used, token_style(t, i), s, n);
			rect_cp(r, x + max - 1, y, STYLE_DIM, '>');
			used = max;
			break;
		}
		used += put_token(r, x + used, y, w, token_style(t, i), s, n);
	}
	buf_release(&b);
	return used;
}

size_t view_first_token(struct view *v, const struct view_tokens *t, int anchor, int max)
{
	struct buf b = BUF_INIT;
	if (anchor < 0)
		return 0;
	int limit = max * 2 / 3, used = 0;
	size_t i = (size_t)anchor;
	used = token_width(v, t->tokens[i], &b);
	while (i > 0) {
		int w = token_width(v, t->tokens[i - 1], &b);
		if (used + w > limit)
			break;
		used += w;
		i--;
	}
	buf_release(&b);
	return i;
}

int view_wrap_tokens(struct view *v, struct rect r, int x, int y, int w, int h, const struct view_tokens *t,
		     int skip_rows, int *cursor_y)
{
	struct buf b = BUF_INIT;
	int row = -skip_rows, col = 0;
	if (cursor_y)
		*cursor_y = -1;
	for (size_t i = 0; i < t->n; i++) {
		int tw = token_width(v, t->tokens[i], &b);
		const char *s = b.s;
		size_t n = b.n;
		if (col && col + tw > w) {
			row++;
			col = 0;
			if (n > 1 && s[0] == ' ')
				s++, n--;
		}
		if ((int)i == t->cursor && cursor_y)
			*cursor_y = row + skip_rows;
		if (row >= 0 && row < h) {
			if ((int)i == t->cursor)
				rect_cursor(r, x + col, y + row);
			put_token(r, x + col, y + row, w - col, token_style(t, i), s, n);
		}
		col += text_width(s, n);
		if (n >= 3 && !memcmp(s + n - 3, "\u21b5", 3)) { /* a line ends where the text's does */
			row++;
			col = 0;
		}
	}
	buf_release(&b);
	return row + skip_rows + (col > 0 || !t->n);
}
