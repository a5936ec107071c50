/* SPDX-License-Identifier: MIT */
/* view_sweep_options.c - what a grid is made of: strengths, seeds, prompt, temperature, length. */
#include "view/view_sweep.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static bool fits(struct view *v, size_t n_strengths, size_t n_seeds)
{
	if (n_strengths * n_seeds <= SWEEP_SCREEN_CELLS)
		return true;
	char sentence[96];
	snprintf(sentence, sizeof sentence, "%zu texts are more than %d; 'featlas sweep' takes more", n_strengths * n_seeds,
		 SWEEP_SCREEN_CELLS);
	app_prompt_fault(v->app, 0, sentence);
	return false;
}

static void clip_cursor(struct sweep_view *s)
{
	s->column = MIN(s->column, (i64)s->n_strengths - 1);
	s->row = MIN(s->row, s->n_seeds - 1);
	s->left = s->top = 0;
}

static bool commit_strengths(struct view *v, const char *text, void *context)
{
	struct sweep_view *s = view_state(v);
	struct err e = {0};
	f32 *list = NULL;
	size_t n;
	(void)context;
	if (sweep_parse_strengths(text, &list, &n, &e))
		app_prompt_fault(v->app, 0, e.msg);
	if (!list || !fits(v, n, s->n_seeds)) {
		free(list);
		return false;
	}
	sweep_forget(v);
	free(s->strengths);
	s->strengths = list;
	s->n_strengths = n;
	clip_cursor(s);
	return true;
}

static bool commit_seeds(struct view *v, const char *text, void *context)
{
	struct sweep_view *s = view_state(v);
	struct err e = {0};
	u64 *list = NULL;
	size_t n;
	(void)context;
	if (sweep_parse_seeds(text, &list, &n, &e))
		app_prompt_fault(v->app, 0, e.msg);
	if (!list || !fits(v, s->n_strengths, n)) {
		free(list);
		return false;
	}
	sweep_forget(v);
	free(s->seeds);
	s->seeds = list;
	s->n_seeds = n;
	clip_cursor(s);
	return true;
}

static bool commit_temperature(struct view *v, const char *text, void *context)
{
	f64 x;
	(void)context;
	if (!app_prompt_number(v->app, text, 0, STEER_MOST_TEMPERATURE, &x))
		return false;
	sweep_forget(v);
	((struct sweep_view *)view_state(v))->ask.temperature = (f32)x;
	return true;
}

static bool commit_length(struct view *v, const char *text, void *context)
{
	f64 x;
	(void)context;
	if (!app_prompt_number(v->app, text, 1, STEER_MOST_TOKENS, &x))
		return false;
	sweep_forget(v);
	((struct sweep_view *)view_state(v))->ask.n_tokens = (u32)x;
	return true;
}

static bool commit_prompt(struct view *v, const char *text, void *context)
{
	struct sweep_view *s = view_state(v);
	(void)context;
	if (!text[0]) {
		app_prompt_fault(v->app, 0, "a prompt");
		return false;
	}
	sweep_forget(v);
	free(s->ask.prompt);
	s->ask.prompt = xstrdup(text);
	return true;
}

void sweep_ask_prompt(struct view *v)
{
	struct sweep_view *s = view_state(v);
	app_prompt(v, &(struct app_prompt){.label = "prompt: ", .initial = s->ask.prompt, .history = "steer",
					   .commit = commit_prompt});
}

static void option_chosen(struct view *v, size_t index)
{
	static const struct {
		const char *label;
		bool (*commit)(struct view *v, const char *text, void *context);
	} asks[] = {{"strengths, as in -1..3:0.5: ", commit_strengths},
		    {"seeds, as in 6 or 11-20: ", commit_seeds},
		    {"temperature: ", commit_temperature},
		    {"tokens: ", commit_length}};
	struct sweep_view *s = view_state(v);
	if (index < ARRAY_LEN(asks)) {
		app_prompt(v, &(struct app_prompt){.label = asks[index].label, .commit = asks[index].commit});
		return;
	}
	sweep_forget(v);
	if (index == ARRAY_LEN(asks))
		s->ask.where = (enum intervention_where)((s->ask.where + 1) % 3);
	else
		s->ask.chat = !s->ask.chat;
}

void sweep_options(struct view *v)
{
	static const struct app_menu_item items[] = {
		{'g', "strengths"}, {'s', "seeds"}, {'t', "temperature"}, {'n', "how many tokens"},
		{'w', "where: reply, prompt, both"}, {'c', "chat template, or the bare text"}};
	app_menu(v, "options", items, ARRAY_LEN(items), option_chosen);
}
