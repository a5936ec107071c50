/* SPDX-License-Identifier: MIT */
/* cmd_sweep.c - featlas sweep: one feature, or several together, at many strengths and seeds. */
#include "cmd/cmd.h"

#include "backend/attach.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "session/curve.h"
#include "session/dose.h"
#include "session/hit.h"

#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_PROMPTS = 64, MAX_WORDS = 256, CURVE_W = 60, CURVE_H = 5, LABELS = 9 };

struct grid {
	struct steer_spec specs[STEER_MOST_FEATURES];
	const char *prompts[MAX_PROMPTS];
	f32 *strengths;
	u64 *seeds;
	char *list; /* what words point into */
	const char *words[MAX_WORDS];
	u32 others[STEER_MOST_FEATURES];
	struct sweep_request q;
};

static void release(struct grid *g)
{
	free(g->strengths);
	free(g->seeds);
	free(g->list);
}

static int parse_words(const char *text, struct grid *g, struct err *e)
{
	char *at = g->list = xstrdup(text);
	for (char *w; (w = strsep(&at, ","));) {
		if (!*w)
			continue;
		if (g->q.n_words == MAX_WORDS)
			return err_set(e, ERR_USAGE, "--words takes at most %d words", MAX_WORDS);
		g->words[g->q.n_words++] = w;
	}
	return g->q.n_words ? 0 : err_set(e, ERR_USAGE, "--words wants words with commas between them");
}

static int parse_watched(const char *text, const struct session *s, struct grid *g, struct err *e)
{
	char *copy = xstrdup(text), *at = copy;
	int bad = 0;
	for (char *w; !bad && (w = strsep(&at, ","));) {
		if (g->q.n_others == STEER_MOST_FEATURES)
			bad = err_set(e, ERR_USAGE, "--watch takes at most %d features", STEER_MOST_FEATURES);
		else
			bad = session_parse_id(s, w, &g->others[g->q.n_others++], e);
	}
	free(copy);
	return bad;
}

static int parse_axes(const struct cmd_args *a, struct grid *g, struct err *e)
{
	bool maxima = steer_in_maxima(&g->specs[0]);
	const char *strengths = arg_str(a, "strengths", maxima ? "-1..3:0.5" : NULL);
	if (!strengths)
		return err_set(e, ERR_USAGE, "--strengths is missing: only multiples of the maximum have a usual range");
	g->q.n_prompts = arg_all(a, "prompt", g->prompts, MAX_PROMPTS);
	if (g->q.n_prompts > MAX_PROMPTS)
		return err_set(e, ERR_USAGE, "%zu prompts are more than %d", g->q.n_prompts, MAX_PROMPTS);
	if (!g->q.n_prompts)
		g->prompts[g->q.n_prompts++] = "What did you do last weekend?";
	return sweep_parse_strengths(strengths, &g->strengths, &g->q.n_strengths, e) ||
	       sweep_parse_seeds(arg_str(a, "seeds", "6"), &g->seeds, &g->q.n_seeds, e) ? -1 : 0;
}

static int parse(const struct cmd_args *a, const struct session *s, struct grid *g, struct err *e)
{
	static const char *const wheres[] = {"reply", "prompt", "both"};
	const char *given[STEER_MOST_FEATURES], *where = arg_str(a, "where", "reply");
	struct sweep_request *q = &g->q;
	u64 tokens;
	f64 temperature;
	q->n_specs = arg_all(a, "feature", given, STEER_MOST_FEATURES);
	if (!q->n_specs)
		return err_set(e, ERR_USAGE, "--feature is missing; usage: featlas sweep ATLAS --feature ID");
	if (q->n_specs > STEER_MOST_FEATURES)
		return err_set(e, ERR_USAGE, "%zu features at once are more than %d", q->n_specs, STEER_MOST_FEATURES);
	for (size_t i = 0; i < q->n_specs; i++)
		if (steer_spec_parse(given[i], s->atlas, &g->specs[i], e))
			return -1;
	while (q->where < ARRAY_LEN(wheres) && strcmp(wheres[q->where], where) != 0)
		q->where++;
	if (q->where == ARRAY_LEN(wheres))
		return err_set(e, ERR_USAGE, "--where is reply, prompt or both, not '%s'", where);
	if (parse_axes(a, g, e) || arg_u64(a, "n-tokens", 40, 1, STEER_MOST_TOKENS, &tokens, e) ||
	    arg_f64(a, "temperature", 0.7, &temperature, e) ||
	    (arg_str(a, "words", NULL) && parse_words(arg_str(a, "words", NULL), g, e)) ||
	    (arg_str(a, "watch", NULL) && parse_watched(arg_str(a, "watch", NULL), s, g, e)))
		return -1;
	if (temperature < 0 || temperature > STEER_MOST_TEMPERATURE)
		return err_set(e, ERR_USAGE, "--temperature is from 0 to %g, not %g", STEER_MOST_TEMPERATURE,
			       temperature);
	q->specs = g->specs;
	q->strengths = g->strengths;
	q->seeds = g->seeds;
	q->prompts = g->prompts;
	q->words = g->words;
	q->others = g->others;
	q->measures = SWEEP_ALL;
	q->random = arg_flag(a, "random");
	q->random_seed = SWEEP_RANDOM_SEED;
	q->chat = !arg_flag(a, "plain");
	q->temperature = (f32)temperature;
	q->n_tokens = (u32)tokens;
	return 0;
}

/* ---- the table ---- */

static void add_head(struct session *s, const struct sweep *w, struct buf *out)
{
	static const char *const wheres[] = {"the reply", "the prompt", "prompt and reply"};
	const struct sweep_request *q = &w->q;
	for (size_t i = 0; i < q->n_specs; i++) {
		char *label = session_label_text(s, q->specs[i].feature);
		buf_addf(out, "#%u ", q->specs[i].feature);
		cmd_add_text(out, label, strlen(label));
		buf_addf(out, "  %s%s", steer_spec_method(q->specs[i].method), q->specs[i].hook[0] ? " at " : "");
		cmd_add_text(out, q->specs[i].hook, strlen(q->specs[i].hook));
		buf_addc(out, '\n');
		free(label);
	}
	buf_addf(out, "%zu strengths, %zu seed%s, %zu prompt%s; %u tokens, temperature %g, on %s\n\n", q->n_strengths,
		 q->n_seeds, q->n_seeds == 1 ? "" : "s", q->n_prompts, q->n_prompts == 1 ? "" : "s", q->n_tokens,
		 (f64)q->temperature, wheres[q->where]);
}

static void add_value(struct buf *out, enum dose_measure m, f64 v)
{
	if (isnan(v))
		buf_addf(out, "%*s", LABELS, "-");
	else if (m == DOSE_REPEATS || m == DOSE_HITS)
		buf_addf(out, "%*.0f %%", LABELS - 2, 100 * v);
	else
		buf_addf(out, "%*.*f", LABELS, m == DOSE_WORDS ? 1 : 2, fabs(v) < 0.005 ? 0 : v);
}

static void add_row(struct buf *out, const char *name, f64 change, const struct dose_point *p, const char *mark)
{
	buf_addf(out, "%9s", name);
	if (isnan(change))
		buf_addf(out, "%8s", "-");
	else
		buf_addf(out, "%8.2f", change);
	for (int m = 0; m < N_DOSE; m++)
		add_value(out, (enum dose_measure)m, p->mid[m]);
	if (*mark)
		buf_addf(out, " %s", mark);
	buf_addc(out, '\n');
}

static void add_rows(const struct sweep *w, const struct dose *d, struct buf *out)
{
	for (size_t i = 0; i < d->n; i++) {
		struct buf name = BUF_INIT;
		dose_add_strength(w, d->point[i].strength, &name);
		add_row(out, name.s, w->change[i], &d->point[i],
			i == d->onset ? "|" : i == d->collapse || i == d->collapse_low ? "!" : "");
		buf_release(&name);
	}
}

static void add_table(const struct sweep *w, const struct dose *d, struct buf *out)
{
	buf_addf(out, "%9s%8s", "strength", "change");
	for (int m = 0; m < N_DOSE; m++)
		buf_addf(out, "%*s", m ? LABELS : LABELS + 2, dose_keys[m]);
	buf_addc(out, '\n');
	add_row(out, "baseline", 0, &d->baseline, "");
	add_rows(w, d, out);
	if (w->q.random) {
		struct dose random;
		dose_init(&random, w, SWEEP_RANDOM);
		random.onset = random.collapse = random.collapse_low = SIZE_MAX;
		buf_adds(out, "\na random direction of the same norm\n");
		add_rows(w, &random, out);
		dose_release(&random);
	}
	buf_addc(out, '\n');
	dose_add_verdict(w, d, out);
	buf_addc(out, '\n');
}

/* ---- the curves ---- */

static void add_code_point(struct buf *out, u32 cp)
{
	if (cp < 0x80) {
		buf_addc(out, (char)cp);
		return;
	}
	buf_addc(out, (char)(0xe0 | cp >> 12));
	buf_addc(out, (char)(0x80 | (cp >> 6 & 0x3f)));
	buf_addc(out, (char)(0x80 | (cp & 0x3f)));
}

/* The number at an end of the vertical axis. */
static void add_end(struct buf *out, enum dose_measure m, f64 v)
{
	if (m == DOSE_REPEATS)
		buf_addf(out, "%*.0f %% ", LABELS - 3, 100 * v);
	else
		buf_addf(out, "%*.2f ", LABELS - 1, fabs(v) < 0.005 ? 0 : v);
}

static void add_curve(const struct dose *d, enum dose_measure m, bool ascii, struct buf *out)
{
	f64 *x = xcalloc(d->n, sizeof *x), *y = xcalloc(d->n, sizeof *y);
	f64 top = d->baseline.mid[m], bottom = 0, base = m == DOSE_ACT ? d->spread : d->baseline.mid[m];
	for (size_t i = 0; i < d->n; i++) {
		x[i] = (f64)d->point[i].strength;
		y[i] = d->point[i].mid[m];
		top = fmax(top, d->point[i].high[m]);
		bottom = fmin(bottom, d->point[i].low[m]);
	}
	top = fmax(top, m == DOSE_REPEATS ? HIT_REPEATS : base);
	struct curve c;
	curve_init(&c, CURVE_W, CURVE_H, ascii, x[0], x[d->n - 1], bottom, top);
	curve_line(&c, x, y, d->n);
	for (size_t i = 0; i < d->n && !ascii; i++) {
		curve_point(&c, x[i], d->point[i].low[m]);
		curve_point(&c, x[i], d->point[i].high[m]);
	}
	curve_level(&c, base);
	buf_addf(out, "\n%*s%s\n", LABELS, "", dose_words[m]);
	for (int row = 0; row < c.h; row++) {
		size_t end = out->n;
		if (row && row + 1 < c.h)
			buf_addf(out, "%*s", LABELS, "");
		else {
			add_end(out, m, row ? c.y0 : c.y1);
			end = out->n - 1;
		}
		for (int col = 0; col < c.w; col++) {
			add_code_point(out, curve_at(&c, col, row));
			if (curve_at(&c, col, row) != ' ')
				end = out->n;
		}
		buf_remove(out, end, out->n - end);
		buf_addc(out, '\n');
	}
	curve_release(&c);
	free(x);
	free(y);
}

/* Strengths where they stand below a curve, as many as there is room for. */
static void add_ruler(const struct sweep *w, const struct dose *d, struct buf *out)
{
	struct curve c;
	char marks[CURVE_W + 1], names[CURVE_W + LABELS + 1];
	int free_from = 0;
	curve_init(&c, CURVE_W, 1, true, (f64)d->point[0].strength, (f64)d->point[d->n - 1].strength, 0, 1);
	memset(marks, ' ', sizeof marks);
	memset(names, ' ', sizeof names);
	for (size_t i = 0; i < d->n; i++) {
		struct buf name = BUF_INIT;
		int at = curve_column(&c, (f64)d->point[i].strength);
		if (at < 0 || at >= CURVE_W)
			continue;
		marks[at] = i == d->onset ? '|' : i == d->collapse || i == d->collapse_low ? '!' : '\'';
		dose_add_strength(w, d->point[i].strength, &name);
		if (at >= free_from && name.n < LABELS) {
			memcpy(names + at, name.s, name.n);
			free_from = at + (int)name.n + 1;
		}
		buf_release(&name);
	}
	int n = CURVE_W + LABELS;
	while (n && names[n - 1] == ' ')
		n--;
	buf_addf(out, "%*s%.*s\n%*s%.*s\n", LABELS, "", CURVE_W, marks, LABELS, "", n, names);
	buf_addf(out, "%*s| effect begins   ! falls apart   dotted: the baseline, of its activation the 0.9 quantile\n",
		 LABELS, "");
	curve_release(&c);
}

static bool is_measured(const struct dose *d, enum dose_measure m)
{
	bool is = false;
	for (size_t i = 0; i < d->n; i++)
		is |= !isnan(d->point[i].mid[m]);
	return is;
}

static void print_plain(struct session *s, const struct sweep *w, const struct dose *d, bool ascii)
{
	static const enum dose_measure drawn[] = {DOSE_ACT, DOSE_GAIN, DOSE_EXCESS, DOSE_REPEATS};
	struct buf out = BUF_INIT;
	add_head(s, w, &out);
	add_table(w, d, &out);
	for (size_t i = 0; i < ARRAY_LEN(drawn) && d->n > 1; i++)
		if (is_measured(d, drawn[i]))
			add_curve(d, drawn[i], ascii, &out);
	if (d->n > 1)
		add_ruler(w, d, &out);
	cmd_flush(&out);
	buf_release(&out);
}

/* ---- the whole ---- */

static int run(struct session *s, struct sweep *w, char warning[ATTACH_WARNING], struct err *e)
{
	struct progress p = {0};
	struct backend *b = session_backend(s, e);
	if (!b)
		return -1;
	struct cmd_progress *shown = cmd_progress_start(&p);
	int bad = attach_model(b, s->atlas, &p, warning, e) || sweep_run(w, s, b, NULL, &p, NULL, NULL, e);
	cmd_progress_stop(shown);
	detach_model(b);
	return bad ? -1 : 0;
}

static int write_json(struct outfile *o /* taken */, json_t *j /* taken */, struct err *e)
{
	struct buf line = BUF_INIT;
	json_add_line(&line, j);
	buf_addc(&line, '\n');
	json_decref(j);
	int bad = outfile_add(o, line.s, line.n, e);
	buf_release(&line);
	if (!bad)
		return outfile_commit(o, e);
	outfile_abandon(o);
	return -1;
}

/* What can be shown is shown, whatever cannot be kept. */
static int show(const struct cmd_args *a, struct session *s, const struct sweep *w, struct outfile *out, struct err *e)
{
	struct dose d;
	struct err why = {0};
	bool ascii = arg_flag(a, "ascii") || (isatty(STDOUT_FILENO) && strcmp(nl_langinfo(CODESET), "UTF-8") != 0);
	dose_init(&d, w, SWEEP_STEERED);
	if (!note_read_only(s->note) && dose_keep(s, w, &d, NULL, &why))
		fprintf(stderr, "featlas sweep: warning: the range is not kept: %s\n", why.msg);
	if (arg_flag(a, "json"))
		cmd_print_json(dose_json(s, w, true));
	else
		print_plain(s, w, &d, ascii);
	dose_release(&d);
	fflush(stdout); /* where --out goes, too */
	return out && write_json(out, dose_json(s, w, true), e) ? -1 : EXIT_OK;
}

/* The texts were paid for: stopped, those that are done are shown. */
static int show_part(const struct cmd_args *a, struct session *s, const struct sweep *w, struct outfile *out,
		     struct err *e)
{
	struct err why = {0};
	if (show(a, s, w, out, &why) < 0)
		fprintf(stderr, "featlas sweep: %s\n", why.msg);
	return err_wrap(e, "only %zu of %zu texts are done", w->n_done, w->n_cells);
}

/* What cannot be kept is said before the work; of a labels.db that is there, it was when it was opened. */
static int open_outputs(const struct cmd_args *a, struct session *s, const struct sweep *w, struct outfile **out,
			struct err *e)
{
	const char *path = arg_str(a, "out", NULL);
	if (dose_has_range(w) && note_read_only(s->note) && !note_exists(s->note))
		fprintf(stderr, "featlas sweep: warning: the range is not kept: %s\n", note_read_only(s->note));
	*out = path ? outfile_new(path, e) : NULL;
	return path && !*out ? -1 : 0;
}

int cmd_sweep(const struct cmd_args *a, struct err *e)
{
	char warning[ATTACH_WARNING] = "";
	struct outfile *out = NULL;
	struct session *s = cmd_open(a, e);
	if (!s)
		return -1;
	struct grid *g = xcalloc(1, sizeof *g);
	struct sweep *w = parse(a, s, g, e) ? NULL : sweep_new(s, &g->q, e);
	int status = !w || open_outputs(a, s, w, &out, e) || run(s, w, warning, e) ? -1 : EXIT_OK;
	if (warning[0])
		fprintf(stderr, "featlas sweep: warning: %s\n", warning);
	if (status == EXIT_OK)
		status = show(a, s, w, out, e);
	else if (w && w->n_done)
		show_part(a, s, w, out, e);
	else
		outfile_abandon(out);
	sweep_free(w);
	release(g);
	free(g);
	session_free(s);
	return status;
}
