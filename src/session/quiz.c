/* SPDX-License-Identifier: MIT */
/* quiz.c - ten contexts of a feature, and what a person says of them. */
#include "session/quiz.h"

#include "base/mem.h"
#include "core/rand.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct quiz *quiz_new(struct session *s, u32 feature, bool fuzzing, u64 seed, struct err *e)
{
	char *label = session_label_text(s, feature);
	if (!*label) {
		err_set(e, ERR_NOT_FOUND, "#%u has no label to be judged", feature);
		free(label);
		return NULL;
	}
	struct quiz *q = xcalloc(1, sizeof *q);
	u32 fires = 4 + (u32)(rand_u64(seed, feature) % 3);
	q->feature = feature;
	q->label = label;
	q->ask = (struct evidence_ask){.n_fires = fires, .n_near = (QUIZ_TEXTS - fires) / 2, .fuzzing = fuzzing, .seed = seed};
	q->ask.n_other = QUIZ_TEXTS - fires - q->ask.n_near;
	i64 n = evidence_make(s->atlas, feature, &q->ask, q->question, e);
	if (n < 0) {
		quiz_free(q);
		return NULL;
	}
	q->n = (size_t)n;
	return q;
}

void quiz_free(struct quiz *q)
{
	if (!q)
		return;
	free(q->label);
	free(q);
}

const char *quiz_method(const struct quiz *q)
{
	return q->ask.fuzzing ? "fuzzing" : "detection";
}

static json_t *pair(const u32 n[2])
{
	return json_pack("{s:I, s:I}", "asked", (json_int_t)n[0], "right", (json_int_t)n[1]);
}

json_t *evidence_json(const struct evidence_score *s)
{
	struct evidence_figures f;
	json_t *j = json_object(), *levels = json_array();
	evidence_figures(s, &f);
	json_object_set_new(j, "balanced_accuracy", json_f32(f.balanced));
	json_object_set_new(j, "accuracy", json_f32(f.accuracy));
	json_object_set_new(j, "precision", json_f32(f.precision));
	json_object_set_new(j, "recall", json_f32(f.recall));
	json_object_set_new(j, "f1", json_f32(f.f1));
	json_object_set_new(j, "fires", pair(s->fires));
	json_object_set_new(j, "silent", pair(s->silent));
	json_object_set_new(j, "neighbours", pair(s->near));
	for (int l = 0; l < EVIDENCE_LEVELS; l++)
		json_array_append_new(levels, json_pack("[I, I]", (json_int_t)s->level[l][0], (json_int_t)s->level[l][1]));
	json_object_set_new(j, "levels", levels);
	json_object_set_new(j, "assumed", json_integer(s->n_assumed));
	json_object_set_new(j, "unjudged", json_integer(s->n_unjudged));
	return j;
}

int quiz_keep(struct session *s, const struct quiz *q, const u8 *answer, struct evidence_score *score, struct err *e)
{
	struct buf b = BUF_INIT;
	json_t *said = json_array();
	evidence_count(q->question, answer, q->n, score);
	for (size_t i = 0; i < q->n; i++)
		json_array_append_new(said, json_integer(answer[i] == EVIDENCE_YES));
	json_t *j = json_pack("{s:o, s:I, s:o}", "label", json_text(q->label, strlen(q->label)), "seed",
			      (json_int_t)q->ask.seed, "answers", said);
	json_object_update_new(j, evidence_json(score));
	json_add_line(&b, j);
	int bad = note_set_quiz(s->note, q->feature, quiz_method(q), b.s, e);
	json_decref(j);
	buf_release(&b);
	return bad;
}

bool quiz_kept(struct session *s, u32 feature, const char *method, f32 *balanced, char **label)
{
	char *text = note_quiz(s->note, feature, method ? method : "detection");
	if (!text && !method)
		text = note_quiz(s->note, feature, "fuzzing");
	json_t *j = text ? json_parse(text, strlen(text), "a quiz", NULL) : NULL;
	free(text);
	if (!j)
		return false;
	*balanced = (f32)json_opt_f64(j, "balanced_accuracy", (f64)NAN);
	if (label)
		*label = xstrdup(json_opt_str(j, "label", ""));
	json_decref(j);
	return true;
}
