/* SPDX-License-Identifier: MIT */
/* view_steer_options.c - seed, temperature, length, place and template of a steering run. */
#include "view/view_steer.h"

#include <stdlib.h>

/* A number between limits; says what is wrong with any other text. */
static bool number(struct view *v, const char *text, f64 least, f64 most, f64 *out)
{
	char *end;
	*out = strtod(text, &end);
	if (end != text && !*end && *out >= least && *out <= most)
		return true;
	char sentence[96];
	snprintf(sentence, sizeof sentence, "a number from %g to %g", least, most);
	app_prompt_fault(v->app, 0, sentence);
	return false;
}

static bool commit_seed(struct view *v, const char *text, void *context)
{
	struct steer_view *s = view_state(v);
	f64 x;
	(void)context;
	if (!number(v, text, 0, 1e15, &x))
		return false;
	s->ask.seed = (u64)x;
	steer_changed(v);
	return true;
}

static bool commit_temperature(struct view *v, const char *text, void *context)
{
	struct steer_view *s = view_state(v);
	f64 x;
	(void)context;
	if (!number(v, text, 0, 10, &x))
		return false;
	s->ask.temperature = (f32)x;
	steer_changed(v);
	return true;
}

static bool commit_length(struct view *v, const char *text, void *context)
{
	struct steer_view *s = view_state(v);
	f64 x;
	(void)context;
	if (!number(v, text, 1, 2000, &x))
		return false;
	s->ask.n_tokens = (u32)x;
	steer_changed(v);
	return true;
}

static void option_chosen(struct view *v, size_t index)
{
	static const struct {
		const char *label;
		bool (*commit)(struct view *v, const char *text, void *context);
	} asks[] = {{"seed: ", commit_seed},
		    {"temperature: ", commit_temperature},
		    {"tokens: ", commit_length}};
	struct steer_view *s = view_state(v);
	if (index < ARRAY_LEN(asks)) {
		app_prompt(v, &(struct app_prompt){.label = asks[index].label, .commit = asks[index].commit});
		return;
	}
	if (index == ARRAY_LEN(asks))
		s->ask.where = (enum intervention_where)((s->ask.where + 1) % 3);
	else
		s->ask.chat = !s->ask.chat;
	steer_changed(v);
}

void steer_options(struct view *v)
{
	static const struct app_menu_item items[] = {
		{'s', "seed"}, {'t', "temperature, 0: always the likeliest token"}, {'n', "how many tokens"},
		{'w', "where: reply, prompt, both"}, {'c', "chat template, or the bare text"}};
	app_menu(v, "options", items, ARRAY_LEN(items), option_chosen);
}
