/* SPDX-License-Identifier: MIT */
/* app_prompt.c - the prompt in the message line, and menus. */
#include "view/app_private.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static struct history *history_named(struct app *a, const char *name)
{
	if (!name)
		return NULL;
	for (size_t i = 0; i < a->n_histories; i++)
		if (!strcmp(a->histories[i].name, name))
			return &a->histories[i].h;
	a->histories = xreallocarray(a->histories, a->n_histories + 1, sizeof *a->histories);
	struct named_history *h = &a->histories[a->n_histories++];
	h->name = xstrdup(name);
	history_open(&h->h, name, !a->script_mode);
	return &h->h;
}

void app_prompt(struct view *v, const struct app_prompt *p)
{
	struct app *a = v->app;
	app_prompt_close(a);
	a->prompt.open = true;
	a->prompt.spec = *p;
	a->prompt.label = xstrdup(p->label);
	a->prompt.view = v;
	buf_init(&a->prompt.found);
	prompt_init(&a->prompt.p, p->initial, history_named(a, p->history));
	buf_clear(&a->message);
	a->dirty = true;
}

static void forget_fault(struct app *a)
{
	free(a->prompt.fault);
	a->prompt.fault = NULL;
}

void app_prompt_close(struct app *a)
{
	if (!a->prompt.open)
		return;
	a->prompt.open = false;
	free(a->prompt.label);
	buf_release(&a->prompt.found);
	forget_fault(a);
	prompt_release(&a->prompt.p);
}

void app_prompt_fault(struct app *a, size_t at, const char *sentence)
{
	if (!a->prompt.open) {
		app_message(a, "%s", sentence);
		return;
	}
	forget_fault(a);
	a->prompt.fault_at = at;
	a->prompt.fault = xstrdup(sentence);
}

void app_prompt_set(struct app *a, const char *text)
{
	prompt_set(&a->prompt.p, text);
}

bool app_prompt_number(struct app *a, const char *text, f64 least, f64 most, f64 *out)
{
	char *end;
	*out = strtod(text, &end);
	if (end != text && !*end && *out >= least && *out <= most)
		return true;
	char sentence[96];
	snprintf(sentence, sizeof sentence, "a number from %g to %g", least, most);
	app_prompt_fault(a, 0, sentence);
	return false;
}

static void commit(struct app *a)
{
	struct app_prompt spec = a->prompt.spec;
	struct view *v = a->prompt.view;
	char *text = xstrdup(a->prompt.p.text.s);
	struct history *h = a->prompt.p.history;
	if (spec.commit(v, text, spec.context)) {
		if (h)
			history_add(h, text);
		/* commit may have opened the next prompt */
		if (a->prompt.open && a->prompt.spec.commit == spec.commit)
			app_prompt_close(a);
	}
	free(text);
}

/* Lengthens the word before the cursor by what all candidates share; says which there are. */
static void complete(struct app *a)
{
	struct prompt *p = &a->prompt.p;
	struct buf found = BUF_INIT;
	size_t from = p->at;
	while (from > 0 && !strchr(" (-", p->text.s[from - 1]))
		from--;
	char *word = xstrndup(p->text.s + from, p->at - from);
	size_t typed = strlen(word), n = 0;
	a->prompt.spec.complete(a->prompt.view, word, &found, a->prompt.spec.context);
	size_t shared = strcspn(found.s, "\t\n");
	for (const char *s = found.s; *s; n++) {
		size_t k = strcspn(s, "\t\n"), same = 0;
		while (same < MIN(shared, k) && s[same] == found.s[same])
			same++;
		shared = same;
		s += strcspn(s, "\n");
		s += *s == '\n';
	}
	if (shared > typed)
		prompt_insert(p, found.s + typed, shared - typed);
	if (n > 1)
		buf_add(&a->prompt.found, found.s, found.n);
	free(word);
	buf_release(&found);
}

void app_prompt_key(struct app *a, u32 key)
{
	struct app_prompt spec = a->prompt.spec;
	struct view *v = a->prompt.view;
	enum prompt_event ev = key == KEY_NONE_YET ? PROMPT_CHANGED : prompt_key(&a->prompt.p, key);
	a->dirty = true;
	buf_clear(&a->message);
	buf_clear(&a->prompt.found);
	if (ev == PROMPT_COMPLETE && spec.complete) {
		complete(a);
		if (spec.change)
			spec.change(v, a->prompt.p.text.s, spec.context);
		return;
	}
	switch (ev) {
	case PROMPT_COMMIT:
		commit(a);
		return;
	case PROMPT_CANCEL:
		app_prompt_close(a);
		if (spec.cancel)
			spec.cancel(v, spec.context);
		return;
	case PROMPT_CHANGED:
		forget_fault(a);
		if (spec.change)
			spec.change(v, a->prompt.p.text.s, spec.context);
		return;
	default:
		return;
	}
}

/* ---- menus ---- */

void app_menu(struct view *v, const char *title, const struct app_menu_item *items, size_t n,
	      void (*chosen)(struct view *v, size_t index))
{
	struct app *a = v->app;
	app_menu_close(a);
	a->menu.open = n > 0;
	if (!n)
		return;
	a->menu.view = v;
	a->menu.title = xstrdup(title);
	a->menu.items = xcalloc(n, sizeof *a->menu.items);
	for (size_t i = 0; i < n; i++)
		a->menu.items[i] = (struct app_menu_item){items[i].key, xstrdup(items[i].text)};
	a->menu.n = n;
	a->menu.at = 0;
	a->menu.chosen = chosen;
	a->dirty = true;
}

void app_menu_close(struct app *a)
{
	if (!a->menu.open)
		return;
	a->menu.open = false;
	for (size_t i = 0; i < a->menu.n; i++)
		free((void *)(uintptr_t)a->menu.items[i].text);
	free(a->menu.items);
	free(a->menu.title);
}

void app_menu_at(struct view *v, size_t index)
{
	if (v->app->menu.open)
		v->app->menu.at = MIN(index, v->app->menu.n - 1);
}

static void choose(struct app *a, size_t i)
{
	struct view *v = a->menu.view;
	void (*chosen)(struct view *, size_t) = a->menu.chosen;
	app_menu_close(a);
	chosen(v, i);
}

void app_menu_key(struct app *a, u32 key)
{
	size_t n = a->menu.n;
	a->dirty = true;
	for (size_t i = 0; i < n; i++)
		if (a->menu.items[i].key == key) {
			choose(a, i);
			return;
		}
	if (key == KEY_RETURN)
		choose(a, a->menu.at);
	else if (key == KEY_ARROW_DOWN || key == 'j' || key == KEY_CTRL('n'))
		a->menu.at = MIN(a->menu.at + 1, n - 1);
	else if (key == KEY_ARROW_UP || key == 'k' || key == KEY_CTRL('p'))
		a->menu.at -= a->menu.at > 0;
	else if (key == KEY_ESCAPE || key == KEY_CTRL_C || key == 'q')
		app_menu_close(a);
}
