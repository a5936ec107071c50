/* SPDX-License-Identifier: MIT */
/* view_steer_options.c - the numbers of a steering run: strengths, seed, temperature, length. */
#include "view/view_steer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

f32 steer_coefficient(struct view *v, const struct steer_spec *row)
{
	f32 c = NAN;
	return steer_spec_coefficient(row, app_session(v->app)->atlas, &c, NULL) ? NAN : c;
}

f32 steer_unit(struct view *v, const struct steer_spec *row)
{
	f32 tenth = app_session(v->app)->atlas->norm_median / 10.0f;
	if (row->times_max || steer_is_factor(row->method) || !(tenth > 0))
		return 1.0f;
	f32 power = powf(10.0f, floorf(log10f(tenth)));
	return roundf(tenth / power) * power;
}

struct steer_request steer_request(const struct steer_ask *ask)
{
	return (struct steer_request){.prompt = ask->prompt, .chat = ask->chat, .specs = ask->row,
				      .n_specs = ask->n_rows, .where = ask->where, .seed = ask->seed,
				      .temperature = ask->temperature, .n_tokens = ask->n_tokens,
				      .want_rows = true};
}

static bool commit_seed(struct view *v, const char *text, void *context)
{
	struct steer_view *s = view_state(v);
	f64 x;
	(void)context;
	if (!app_prompt_number(v->app, text, 0, 1e15, &x))
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
	if (!app_prompt_number(v->app, text, 0, STEER_MOST_TEMPERATURE, &x))
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
	if (!app_prompt_number(v->app, text, 1, STEER_MOST_TOKENS, &x))
		return false;
	s->ask.n_tokens = (u32)x;
	steer_changed(v);
	return true;
}

static bool commit_condition(struct view *v, const char *text, void *context)
{
	struct steer_view *s = view_state(v);
	struct err e = {0};
	(void)context;
	while (*text == ' ')
		text++;
	if (steer_if_parse(text, strlen(text), app_session(v->app)->atlas, &s->ask.row[s->row], &e)) {
		app_prompt_fault(v->app, 0, e.msg);
		return false;
	}
	steer_changed(v);
	return true;
}

static void ask_condition(struct view *v)
{
	struct steer_view *s = view_state(v);
	struct buf now = BUF_INIT;
	if (!s->ask.n_rows) {
		app_message(v->app, "no feature here that could wait for something: a adds one");
		return;
	}
	steer_if_add(&s->ask.row[s->row], &now);
	app_prompt(v, &(struct app_prompt){.label = "only if: ", .initial = now.n ? now.s : NULL, .history = "if",
					   .commit = commit_condition});
	buf_release(&now);
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
		char now[32];
		if (index == 1)
			snprintf(now, sizeof now, "%g", (double)s->ask.temperature);
		else
			snprintf(now, sizeof now, "%llu", (unsigned long long)(index ? s->ask.n_tokens : s->ask.seed));
		app_prompt(v, &(struct app_prompt){.label = asks[index].label, .initial = now, .commit = asks[index].commit});
		return;
	}
	if (index >= ARRAY_LEN(asks) + 2) {
		void (*const others[])(struct view *) = {ask_condition, steer_ask_best, steer_show_best};
		others[index - ARRAY_LEN(asks) - 2](v);
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
		{'w', "where: reply, prompt, both"}, {'c', "chat template, or the bare text"},
		{'i', "this feature only if #ID, #ID>0.5x or /regex/ of the reply; empty: always"},
		{'b', "the best of several seeds, by how likely the unsteered model finds them"},
		{'l', "their list again"}};
	app_menu(v, "options", items, ARRAY_LEN(items), option_chosen);
}
