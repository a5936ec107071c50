/* SPDX-License-Identifier: MIT */
/* cmd_quiz.c - quiz ATLAS ID: which of ten contexts belong to a label?  A person says. */
#include "cmd/cmd.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "session/quiz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers from 1, separated by anything but digits: "1 4 7", "[1,4,7]"; none is an answer too. */
static int parse_answers(const char *s, const struct quiz *q, u8 *answer, struct err *e)
{
	for (size_t i = 0; i < q->n; i++)
		answer[i] = EVIDENCE_NO;
	for (const char *c = s; *c;) {
		if (strchr(" \t\r\n,[]", *c)) {
			c++;
			continue;
		}
		char *end;
		errno = 0;
		unsigned long k = *c >= '0' && *c <= '9' ? strtoul(c, &end, 10) : 0;
		if (errno || k < 1 || k > q->n)
			return err_set(e, ERR_USAGE, "--answers wants numbers from 1 to %zu, not '%.40s'", q->n, c);
		answer[k - 1] = EVIDENCE_YES;
		c = end;
	}
	return 0;
}

static int read_answers(const char *given, const struct quiz *q, u8 *answer, struct err *e)
{
	enum { MOST = 65536 };
	if (strcmp(given, "-"))
		return parse_answers(given, q, answer, e);
	char *text = xcalloc(1, MOST + 1);
	size_t n = fread(text, 1, MOST, stdin);
	int bad = ferror(stdin) ? err_os(e, "cannot read the answers")
		  : !n ? err_set(e, ERR_USAGE, "no answers came: a line of numbers, which may be empty, is wanted")
		       : parse_answers(text, q, answer, e);
	free(text);
	return bad;
}

static const char *truth(const struct evidence_question *x)
{
	return x->source == EVIDENCE_FIRES ? "fires" : x->source == EVIDENCE_NEIGHBOUR ? "neighbour" : "other";
}

static json_t *question_json(const struct session *s, const struct quiz *q, size_t i, const u8 *answer)
{
	const struct evidence_question *x = &q->question[i];
	struct buf b = BUF_INIT;
	bool marks = q->ask.fuzzing;
	evidence_add_text(s->atlas, x, marks ? "\xe2\x9f\xa6" : NULL, marks ? "\xe2\x9f\xa7" : NULL, &b, NULL);
	json_t *j = json_pack("{s:I, s:o}", "number", (json_int_t)i + 1, "text", json_text(b.s, b.n));
	buf_release(&b);
	if (!answer)
		return j;
	json_object_set_new(j, "truth", json_string(truth(x)));
	json_object_set_new(j, "of", json_integer(x->of));
	json_object_set_new(j, "known", json_boolean(x->known));
	json_object_set_new(j, "position", json_integer((json_int_t)x->from));
	if (x->source == EVIDENCE_FIRES) {
		json_object_set_new(j, "activation", json_f32(x->act));
		json_object_set_new(j, "level", json_integer(x->level));
	}
	json_object_set_new(j, "answer", json_boolean(answer[i] == EVIDENCE_YES));
	return j;
}

static void print_json(const struct session *s, const struct quiz *q, const u8 *answer, const struct evidence_score *score)
{
	json_t *list = json_array();
	for (size_t i = 0; i < q->n; i++)
		json_array_append_new(list, question_json(s, q, i, answer));
	json_t *j = json_pack("{s:I, s:o, s:s, s:I}", "id", (json_int_t)q->feature, "label",
			      json_text(q->label, strlen(q->label)), "method", quiz_method(q), "seed",
			      (json_int_t)q->ask.seed);
	if (score)
		json_object_update_new(j, evidence_json(score));
	json_object_set_new(j, "texts", list);
	cmd_print_json(j);
}

static void add_question(struct buf *out, const struct session *s, const struct quiz *q, size_t i, const u8 *answer)
{
	const struct evidence_question *x = &q->question[i];
	struct buf b = BUF_INIT;
	bool marks = q->ask.fuzzing;
	evidence_add_text(s->atlas, x, marks ? "\xe2\x9f\xa6" : NULL, marks ? "\xe2\x9f\xa7" : NULL, &b, NULL);
	if (answer) {
		bool fires = x->source == EVIDENCE_FIRES, yes = answer[i] == EVIDENCE_YES;
		buf_addf(out, "%s %-9s ", yes == fires ? "right" : "WRONG", truth(x));
	}
	buf_addf(out, "%2zu ", i + 1);
	utf8_add_safe(out, b.s, b.n);
	buf_addc(out, '\n');
	buf_release(&b);
}

static void print_page(const struct session *s, const struct quiz *q, const u8 *answer, const struct evidence_score *score)
{
	struct buf out = BUF_INIT;
	buf_addf(&out, "#%u  ", q->feature);
	utf8_add_safe(&out, q->label, strlen(q->label));
	buf_adds(&out, q->ask.fuzzing ? "\nIn which of these does it stand where the marks are?\n"
				      : "\nTo which of these does it belong?\n");
	for (size_t i = 0; i < q->n; i++)
		add_question(&out, s, q, i, answer);
	if (score) {
		struct evidence_figures f;
		evidence_figures(score, &f);
		buf_adds(&out, "balanced accuracy ");
		cmd_add_number(&out, f.balanced);
		buf_addf(&out, ": %u of %u that fire, %u of %u that do not", score->fires[1], score->fires[0], score->silent[1],
			 score->silent[0]);
		if (score->n_assumed)
			buf_addf(&out, " (%u of these are assumed not to: the store has examples only)", score->n_assumed);
		buf_addc(&out, '\n');
	}
	cmd_flush(&out);
	buf_release(&out);
}

int cmd_quiz(const struct cmd_args *a, struct err *e)
{
	const char *method = arg_str(a, "method", "detection"), *given = arg_str(a, "answers", NULL);
	u8 answer[EVIDENCE_MOST];
	struct evidence_score score;
	u64 seed;
	u32 id;
	if (strcmp(method, "detection") && strcmp(method, "fuzzing"))
		return err_set(e, ERR_USAGE, "--method is detection or fuzzing, not '%s'", method);
	if (arg_u64(a, "seed", 1, 0, UINT32_MAX, &seed, e))
		return -1;
	struct session *s = cmd_open(a, e);
	int bad = !s || session_parse_id(s, a->positional[1], &id, e);
	struct quiz *q = bad ? NULL : quiz_new(s, id, !strcmp(method, "fuzzing"), seed, e);
	bad = !q || (given && (read_answers(given, q, answer, e) || quiz_keep(s, q, answer, &score, e)));
	if (!bad && arg_flag(a, "json"))
		print_json(s, q, given ? answer : NULL, given ? &score : NULL);
	else if (!bad)
		print_page(s, q, given ? answer : NULL, given ? &score : NULL);
	quiz_free(q);
	session_free(s);
	return bad ? -1 : EXIT_OK;
}
