/* SPDX-License-Identifier: MIT */
/* sweep_parse.c - the axes of a grid from words. */
#include "session/sweep.h"

#include "base/mem.h"
#include "base/shell.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1000 };

/* A number with an optional x behind; *s is moved beyond it.  Of "1..3" the number is 1, not "1." */
static bool strength(const char **s, f64 *out)
{
	char number[32], *end;
	const char *dots = strstr(*s, "..");
	size_t n = MIN(dots ? (size_t)(dots - *s) : strlen(*s), sizeof number - 1);
	memcpy(number, *s, n);
	number[n] = 0;
	*out = strtod(number, &end);
	if (end == number || !isfinite(*out) || fabs(*out) > 1e6)
		return false;
	*s += end - number;
	*s += **s == 'x';
	return true;
}

static int bad_strengths(const char *text, struct err *e)
{
	return err_set(e, ERR_USAGE, "strengths are a list, as in 0,1,1.5, or a range with a step, as in -1..3:0.5, at most %d "
		       "in rising order, not '%s'", MOST, text);
}

static int add_range(const char *text, const char **s, f64 from, f32 *out, size_t *n, struct err *e)
{
	f64 to, step = 0.5;
	*s += 2;
	if (!strength(s, &to))
		return bad_strengths(text, e);
	if (**s == ':') {
		++*s;
		if (!strength(s, &step))
			return bad_strengths(text, e);
	}
	if (!(step > 0) || to < from || (to - from) / step > MOST)
		return bad_strengths(text, e);
	size_t steps = (size_t)((to - from) / step + 1e-6);
	for (size_t i = 0; i <= steps && *n < MOST; i++)
		out[(*n)++] = (f32)(from + step * (f64)i);
	return 0;
}

int sweep_parse_strengths(const char *text, f32 **out, size_t *n, struct err *e)
{
	const char *s = text;
	f32 list[MOST];
	*n = 0;
	for (;;) {
		f64 v;
		if (*n == MOST || !strength(&s, &v))
			return bad_strengths(text, e);
		if (s[0] == '.' && s[1] == '.') {
			if (add_range(text, &s, v, list, n, e))
				return -1;
		} else
			list[(*n)++] = (f32)v;
		if (!*s)
			break;
		if (*s++ != ',')
			return bad_strengths(text, e);
	}
	for (size_t i = 1; i < *n; i++)
		if (!(list[i] > list[i - 1]))
			return bad_strengths(text, e);
	*out = xcalloc(*n, sizeof **out);
	memcpy(*out, list, *n * sizeof *list);
	return 0;
}

static bool whole(const char **s, u64 *out)
{
	char *end;
	if (**s < '0' || **s > '9')
		return false;
	errno = 0;
	*out = strtoull(*s, &end, 10);
	*s = end;
	return !errno && *out <= INT64_MAX;
}

int sweep_parse_seeds(const char *text, u64 **out, size_t *n, struct err *e)
{
	const char *s = text;
	u64 from, to;
	bool good = whole(&s, &from);
	if (good && *s == '-') {
		s++;
		good = whole(&s, &to);
	} else {
		to = from;
		from = 1;
	}
	if (!good || *s || to < from || to - from >= MOST)
		return err_set(e, ERR_USAGE, "seeds are how many, as in 6, or from which to which, as in 11-20, at most %d, "
			       "not '%s'", MOST, text);
	*n = (size_t)(to - from + 1);
	*out = xcalloc(*n, sizeof **out);
	for (size_t i = 0; i < *n; i++)
		(*out)[i] = from + i;
	return 0;
}

/* As a range where one gives the same numbers, which may stand after the option only with a sign of equality. */
static void add_strengths(const struct sweep_request *q, struct buf *out)
{
	size_t n = q->n_strengths;
	f64 first = (f64)q->strengths[0], last = (f64)q->strengths[n - 1], step = n > 1 ? (last - first) / (f64)(n - 1) : 0;
	bool even = n > 2;
	buf_adds(out, " --strengths=");
	for (size_t i = 0; i < n; i++)
		even = even && fabs(first + step * (f64)i - (f64)q->strengths[i]) <= 1e-6 * step;
	if (even)
		buf_addf(out, "%g..%g:%g", first, last, step);
	for (size_t i = 0; i < n && !even; i++)
		buf_addf(out, "%s%g", i ? "," : "", (f64)q->strengths[i]);
}

void sweep_add_command(const struct sweep *s, const struct atlas *a, struct buf *out)
{
	static const char *const wheres[] = {"reply", "prompt", "both"};
	const struct sweep_request *q = &s->q;
	bool even = q->n_seeds > 0;
	atlas_add_command(a, "sweep", out);
	for (size_t i = 0; i < q->n_specs; i++) {
		struct buf spec = BUF_INIT;
		steer_spec_add(&q->specs[i], &spec);
		buf_adds(out, " --feature ");
		shell_add_word(out, spec.s);
		buf_release(&spec);
	}
	add_strengths(q, out);
	for (size_t i = 1; i < q->n_seeds; i++)
		even = even && q->seeds[i] == q->seeds[0] + i;
	if (even && q->seeds[0] == 1)
		buf_addf(out, " --seeds %zu", q->n_seeds);
	else if (even)
		buf_addf(out, " --seeds %llu-%llu", (unsigned long long)q->seeds[0],
			 (unsigned long long)q->seeds[q->n_seeds - 1]);
	for (size_t i = 0; i < q->n_prompts; i++) {
		buf_adds(out, " --prompt ");
		shell_add_word(out, q->prompts[i]);
	}
	buf_addf(out, " -n %u --temperature %g", q->n_tokens, (f64)q->temperature);
	if (q->where != WHERE_REPLY)
		buf_addf(out, " --where %s", wheres[q->where]);
	if (!q->chat)
		buf_adds(out, " --plain");
}
