/* SPDX-License-Identifier: MIT */
/* app_tour.c - a walk for newcomers: a box says what to press, and waits until it was done. */
#include "view/app_private.h"

#include "ui/words.h"

#include <string.h>

static bool on(const struct app *a, const struct view_class *c)
{
	return a->stack[a->at]->class == c;
}

static bool did(const struct app *a, enum action action)
{
	return a->tour.did[action];
}

static bool moved(const struct app *a)
{
	return did(a, ACT_DOWN) || did(a, ACT_UP) || did(a, ACT_PAGE_DOWN) || did(a, ACT_HALF_DOWN);
}

static bool searched(const struct app *a)
{
	return a->search.text && !a->prompt.open && a->search.result.n_hits;
}

static bool on_page(const struct app *a)
{
	return on(a, &view_feature);
}

static bool on_tokens(const struct app *a)
{
	return did(a, ACT_RIGHT) || did(a, ACT_LEFT);
}

static bool on_graph(const struct app *a)
{
	return on(a, &view_graph);
}

static bool walked(const struct app *a)
{
	return on_tokens(a) || moved(a);
}

static bool went_back(const struct app *a)
{
	return !on_graph(a);
}

static bool labelled(const struct app *a)
{
	return did(a, ACT_LABEL) && !a->prompt.open;
}

static bool undone(const struct app *a)
{
	return did(a, ACT_UNDO);
}

static bool on_steer(const struct app *a)
{
	return on(a, &view_steer);
}

static bool replayed(const struct app *a)
{
	return on_steer(a) && did(a, ACT_OPEN);
}

static bool cleared(const struct app *a)
{
	return on(a, &view_features);
}

static bool helped(const struct app *a)
{
	return did(a, ACT_HELP) || did(a, ACT_PALETTE);
}

static const struct {
	const char *text;
	bool (*done)(const struct app *a);
} steps[] = {
	{"Each line is a feature: a direction in the model that stands for something.\n"
	 "j and k move up and down. Try j a few times.", moved},
	{"Search the labels as you type: press / then type  bridge  and Enter.\n"
	 "It is a regular expression over all labels.", searched},
	{"Only the hits are left; / and Enter on an empty line would bring all back.\n"
	 "Enter opens the one under the cursor.", on_page},
	{"A feature's page: what it promotes, and where it fires, hot tokens lit.\n"
	 "l and h walk over the tokens; their strength stands at the bottom.", on_tokens},
	{"Which features point the same way? g begins every way to another screen:\n"
	 "press g, look at the list, then n.", on_graph},
	{"The neighbourhood. h j k l walk to the next node in that direction.", walked},
	{"< goes back to where you came from.", went_back},
	{"Give it a name of your own: e, type a few words, Enter. It is on disk at once.", labelled},
	{"And u takes that back. Every edit can be undone, even tomorrow.", undone},
	{"Now turn a feature up while the model writes: g then s.", on_steer},
	{"No model is needed for recorded runs: Tab goes to them, Enter replays one.\n"
	 "Left is the reply as it was, right the steered one.", replayed},
	{"g then f goes back to the list.", cleared},
	{"? lists the keys of a screen, : finds every action by its name. Try one.", helped},
};

void app_tour_begin(struct app *a)
{
	a->tour.on = true;
	a->tour.at = 0;
	memset(a->tour.did, 0, sizeof a->tour.did);
}

void app_tour_end(struct app *a)
{
	if (!a->tour.on)
		return;
	a->tour.on = false;
	app_message(a, a->tour.at < ARRAY_LEN(steps) ? "the tour is over; :tour goes on with it, ? helps"
						     : "that was the tour; Q leaves, gq labels one feature after another");
}

void app_tour_toggle(struct app *a)
{
	if (a->tour.on)
		app_tour_end(a);
	else if (a->tour.at >= ARRAY_LEN(steps))
		app_tour_begin(a);
	else
		a->tour.on = true;
}

void app_tour_saw(struct app *a, enum action action)
{
	a->tour.did[action] = true;
}

void app_tour_look(struct app *a)
{
	if (!a->tour.on || !steps[a->tour.at].done(a))
		return;
	a->tour.at++;
	memset(a->tour.did, 0, sizeof a->tour.did);
	if (a->tour.at == ARRAY_LEN(steps))
		app_tour_end(a);
}

const char *app_tour_text(const struct app *a, size_t *at, size_t *n)
{
	if (!a->tour.on || a->tour.at >= ARRAY_LEN(steps))
		return NULL;
	*at = a->tour.at + 1;
	*n = ARRAY_LEN(steps);
	return steps[a->tour.at].text;
}
