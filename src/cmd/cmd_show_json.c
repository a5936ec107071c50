/* SPDX-License-Identifier: MIT */
/* cmd_show_json.c - one feature as a JSON object; its members are in featlas(1). */
#include "base/buf.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/show.h"
#include "core/judged.h"
#include "session/quiz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void add_label(void *context, const struct label *l)
{
	json_t *j = json_object();
	json_object_set_new(j, "text", json_text((const char *)l->text.p, l->text.n));
	json_object_set_new(j, "source", json_text(l->source, strlen(l->source)));
	json_object_set_new(j, "kind", json_string(label_kind_words[l->kind]));
	json_object_set_new(j, "score", json_f32(l->score));
	if (l->model && *l->model)
		json_object_set_new(j, "model", json_text(l->model, strlen(l->model)));
	if (l->author && *l->author)
		json_object_set_new(j, "author", json_text(l->author, strlen(l->author)));
	json_array_append_new(context, j);
}

static json_t *labels_json(const struct shown *f)
{
	json_t *list = json_array();
	session_each_label(f->s, f->id, add_label, list);
	return list;
}

static json_t *histogram_json(const struct shown *f)
{
	json_t *edges = json_array(), *counts = json_array(), *j = json_object();
	for (size_t i = 0; f->n_bins && i <= f->n_bins; i++)
		json_array_append_new(edges, json_f32(f->edges[i]));
	for (size_t i = 0; i < f->n_bins; i++)
		json_array_append_new(counts, json_integer((json_int_t)f->counts[i]));
	json_object_set_new(j, "edges", edges);
	json_object_set_new(j, "counts", counts);
	return j;
}

static json_t *tokens_json(const struct shown *f, const struct atlas_token *t, size_t n)
{
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++) {
		json_t *j = json_object();
		cmd_set_token(j, "token", f->s, t[i].token);
		json_object_set_new(j, "id", json_integer(t[i].token));
		json_object_set_new(j, "value", json_f32(t[i].value));
		json_array_append_new(list, j);
	}
	return list;
}

/* The members "tokens", and "bytes" (null where the text says it all) if any token needs it. */
static void set_texts(json_t *j, const struct shown *f, const u32 *tokens, size_t n)
{
	json_t *texts = json_array(), *bytes = json_array();
	bool any = false;
	for (size_t i = 0; i < n; i++) {
		json_t *t = json_object();
		cmd_set_token(t, "token", f->s, tokens[i]);
		json_t *hex = json_object_get(t, "bytes");
		any |= hex != NULL;
		json_array_append(texts, json_object_get(t, "token"));
		json_array_append(bytes, hex ? hex : json_null());
		json_decref(t);
	}
	json_object_set_new(j, "tokens", texts);
	if (any)
		json_object_set(j, "bytes", bytes);
	json_decref(bytes);
}

static json_t *context_json(const struct shown *f, const struct shown_context *c)
{
	const struct store *store = f->s->atlas->store;
	size_t n = (size_t)(c->to - c->from);
	f32 *acts = xcalloc(n + 1, sizeof *acts);
	u32 *tokens = xcalloc(n + 1, sizeof *tokens);
	json_t *j = json_object(), *list = json_array();
	store_activations(store, f->id, c->from, c->to, acts);
	for (size_t i = 0; i < n; i++) {
		tokens[i] = store_token(store, c->from + i);
		json_array_append_new(list, json_f32(acts[i]));
	}
	json_object_set_new(j, "context", json_integer((json_int_t)c->text));
	json_object_set_new(j, "position", json_integer((json_int_t)c->c.position));
	json_object_set_new(j, "activation", json_f32(c->c.act));
	json_object_set_new(j, "kind", json_string(context_kind_names[c->c.kind]));
	if (c->c.kind == CONTEXT_INTERVAL)
		json_object_set_new(j, "interval", json_integer(c->c.interval));
	json_object_set_new(j, "peak", json_integer((json_int_t)(c->c.position - c->from)));
	set_texts(j, f, tokens, n);
	json_object_set_new(j, "activations", list);
	free(acts);
	free(tokens);
	return j;
}

static json_t *contexts_json(const struct shown *f)
{
	json_t *list = json_array();
	for (size_t i = 0; i < f->n_contexts; i++)
		json_array_append_new(list, context_json(f, &f->contexts[i]));
	return list;
}

static json_t *neighbours_json(const struct shown *f)
{
	json_t *list = json_array();
	for (size_t i = 0; i < f->n_neighbours; i++) {
		struct label l;
		u32 id = f->neighbours[i].id;
		json_t *j = json_object();
		json_object_set_new(j, "id", json_integer(id));
		json_object_set_new(j, "score", json_f32(f->neighbours[i].score));
		json_object_set_new(j, "metric", json_string("cosine"));
		bool has = session_label(f->s, id, &l);
		json_object_set_new(j, "label", has ? json_text((const char *)l.text.p, l.text.n) : json_null());
		json_array_append_new(list, j);
	}
	return list;
}

static void set_people(json_t *j, struct note *n, u32 id)
{
	int rating = note_rating(n, id);
	char *tags = note_tags(n, id), *text = note_note(n, id);
	if (rating)
		json_object_set_new(j, "rating", json_integer(rating));
	if (tags) {
		json_t *list = json_array();
		for (char *save, *s = strtok_r(tags, " ", &save); s; s = strtok_r(NULL, " ", &save))
			json_array_append_new(list, json_text(s, strlen(s)));
		json_object_set_new(j, "tags", list);
	}
	if (text)
		json_object_set_new(j, "note", json_text(text, strlen(text)));
	free(tags);
	free(text);
}

/* What machines and a person made of its labels. */
static void set_evidence(json_t *j, const struct shown *f)
{
	static const char *const methods[] = {"detection", "fuzzing"};
	const struct judged *judged = f->s->atlas->judged;
	json_t *list = json_array(), *quizzes = json_object();
	u64 first = 0, n = judged ? judged_of(judged, f->id, &first) : 0;
	for (u64 i = first; i < first + n; i++) {
		struct judgement x;
		judged_at(judged, i, &x);
		json_t *o = json_pack("{s:o, s:o}", "method", json_text(x.method.name, strlen(x.method.name)), "label",
				      json_text((const char *)x.label.p, x.label.n));
		if (*x.method.model)
			json_object_set_new(o, "model", json_text(x.method.model, strlen(x.method.model)));
		json_object_set_new(o, "seed", json_integer((json_int_t)x.method.ask.seed));
		json_object_update_new(o, evidence_json(&x.score));
		json_array_append_new(list, o);
	}
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		char *text = note_quiz(f->s->note, f->id, methods[i]);
		json_t *o = text ? json_parse(text, strlen(text), "a quiz", NULL) : NULL;
		if (o)
			json_object_set_new(quizzes, methods[i], o);
		free(text);
	}
	if (json_array_size(list))
		json_object_set(j, "judged", list);
	if (json_object_size(quizzes))
		json_object_set(j, "quiz", quizzes);
	json_decref(list);
	json_decref(quizzes);
}

json_t *show_json(const struct shown *f)
{
	json_t *j = json_object(), *words = json_object();
	set_texts(words, f, f->topic, f->n_topic);
	json_object_set_new(j, "id", json_integer(f->id));
	json_object_set_new(j, "labels", labels_json(f));
	if (session_is_rejected(f->s, f->id))
		json_object_set_new(j, "rejected", json_true());
	set_people(j, f->s->note, f->id);
	set_evidence(j, f);
	json_object_set_new(j, "density", json_f32(f->stats.density));
	json_object_set_new(j, "max", json_f32(f->stats.max));
	json_object_set_new(j, "input_score", json_f32(f->scores.input));
	json_object_set_new(j, "output_score", json_f32(f->scores.output));
	if (!isnan(f->scores.tuned)) /* only where the factor was looked for */
		json_object_set_new(j, "output_score_tuned", json_f32(f->scores.tuned));
	json_object_set_new(j, "topic_score", json_f32(f->scores.topic));
	json_object_set(j, "topic_words", json_object_get(words, "tokens"));
	json_object_set_new(j, "histogram", histogram_json(f));
	json_object_set_new(j, "promoted", tokens_json(f, f->promoted, f->n_promoted));
	json_object_set_new(j, "suppressed", tokens_json(f, f->suppressed, f->n_suppressed));
	json_object_set_new(j, "contexts", contexts_json(f));
	json_object_set_new(j, "neighbours", neighbours_json(f));
	json_decref(words);
	return j;
}
