/* SPDX-License-Identifier: MIT */
/* app_go.c - going from screen to screen, looking closer, saving. */
#include "view/app_private.h"

#include "base/mem.h"
#include "view/view_features.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Marks made long ago go before the feature that one looks at: that is said. */
static void say_marked(struct app *a, const struct target *t)
{
	if (!t->n_ids || (t->n_ids == 1 && t->ids[0] == t->feature) || a->message_bad)
		return;
	bool among = false;
	for (size_t i = 0; i < t->n_ids; i++)
		among = among || t->ids[i] == t->feature;
	if (among || t->feature == NO_FEATURE)
		app_message(a, "all %zu that are marked go along; z* lets go of them", t->n_ids);
	else
		app_message(a, t->n_ids == 1 ? "the marked #%u goes along, not #%u; z* lets go of it"
					     : "the marked go along, #%u and more, not #%u; z* lets go of them",
			    t->ids[0], t->feature);
}

static void go_view(struct app *a, const struct view_class *c)
{
	struct target t = {.feature = NO_FEATURE};
	u32 *ids = app_n_marked(a) ? app_marked(a, &t.n_ids) : NULL;
	app_current_feature(a, &t.feature);
	t.ids = ids;
	/* the text that is looked at goes along to where its layers are */
	const struct view_class *here = app_top(a)->class;
	if (c == &view_lens && here->text)
		here->text(app_top(a), &t);
	app_push(a, c, &t);
	if (app_top(a)->class == c && (c == &view_steer || c == &view_sweep || c == &view_triage))
		say_marked(a, &t);
	free(ids);
}

static void go_feature(struct app *a)
{
	u32 f;
	if (app_current_feature(a, &f))
		app_push_feature(a, f);
	else
		app_message(a, "no feature is under the cursor");
}

static bool commit_id(struct view *v, const char *text, void *context)
{
	(void)context;
	struct app *a = v->app;
	struct err e = {0};
	u32 f;
	if (!text[0])
		return true;
	if (session_parse_id(a->session, text, &f, &e)) {
		app_error(a, &e);
		return false;
	}
	app_push_feature(a, f);
	return true;
}

static void ask_id(struct app *a)
{
	struct app_prompt p = {.label = "#", .history = "id", .commit = commit_id};
	app_prompt(app_top(a), &p);
}

/* [ and ]: in the order of the nearest list below. */
static void step(struct app *a, int delta)
{
	u32 from, to;
	if (!app_current_feature(a, &from)) {
		app_message(a, "no feature is under the cursor");
		return;
	}
	if (app_step(a, from, delta, &to))
		app_show_feature(a, to);
}

static u64 next_random(struct app *a)
{
	a->random += 0x9e3779b97f4a7c15u;
	u64 z = a->random;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void go_random(struct app *a)
{
	const struct atlas *at = a->session->atlas;
	for (int tries = 0; tries < 1000; tries++) {
		u32 f = (u32)(next_random(a) % at->n_features);
		struct store_stats st = {.density = 1};
		if (at->store)
			store_stats(at->store, f, &st);
		if (st.density > 0) {
			app_push_feature(a, f);
			return;
		}
	}
	app_message(a, "no live feature was found");
}

/* ---- pop-ups ---- */

static void add_part(struct buf *b, const struct atlas *at, const char *part)
{
	const char *missing = atlas_missing(at, part);
	buf_addf(b, "%-10s %s\n", part, missing ? missing : "there");
}

static void show_atlas(struct app *a)
{
	static const char *const parts[] = {"store", "vocab", "labels", "logits", "graph", "scores", "map", "evidence"};
	const struct atlas *at = a->session->atlas;
	const struct dict_info *d = dict_info(at->dict);
	struct buf b = BUF_INIT;
	buf_addf(&b, "folder     %s\nmodel      %s\nhook       %s\n", at->folder, at->model.name, at->hook);
	buf_addf(&b, "dictionary %s, %u features, d %u", d->arch_name, d->n_features, d->d_in);
	if (d->k)
		buf_addf(&b, ", k %u", d->k);
	buf_adds(&b, "\n");
	if (at->store)
		buf_addf(&b, "tokens     %llu indexed, %llu counted\n",
			 (unsigned long long)store_n_indexed(at->store),
			 (unsigned long long)store_n_kept(at->store));
	buf_addf(&b, "edits      %s%s\n", note_path(a->session->note),
		 note_exists(a->session->note) ? "" : " (made at the first edit)");
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		add_part(&b, at, parts[i]);
	buf_addf(&b, "uuid       %s", at->uuid);
	app_popup(a, "atlas", b.s);
	buf_release(&b);
}

/* Guesses first: they are what one should know. */
static const enum dict_origin origins[] = {DICT_GUESS, DICT_MEASURED, DICT_GIVEN, DICT_DEFAULT, DICT_FROM_FILE};

static void show_dictionary(struct app *a)
{
	const struct atlas *at = a->session->atlas;
	struct buf b = BUF_INIT;
	size_t n;
	const struct dict_fact *f = dict_provenance(at->dict, &n);
	int widest = 0;
	for (size_t i = 0; i < n; i++)
		widest = MAX(widest, (int)MIN(strcspn(f[i].value, ";"), 40u));
	for (size_t i = 0; i < n; i++) {
		int n_value = (int)strcspn(f[i].value, ";");
		const char *rest = f[i].value + n_value;
		buf_addf(&b, "%-13s %-*.*s %-8s %s%s%s\n", f[i].name, widest, n_value, f[i].value,
			 dict_origin_name(f[i].origin), rest + (*rest ? 2 : 0), *rest ? "; " : "", f[i].why ? f[i].why : "");
	}
	if (at->store)
		buf_addf(&b, "figures over %llu of %llu tokens (left out: first, special, sinks)\n",
			 (unsigned long long)store_n_kept(at->store),
			 (unsigned long long)store_n_indexed(at->store));
	buf_addf(&b, "model %s%s%.12s   build %s\n", at->model.name, at->model.sha256[0] ? ", sha256 " : "",
		 at->model.sha256, at->build_id);
	atlas_add_command(at, "info", &b);
	app_popup(a, "how the dictionary is computed", b.s);
	buf_release(&b);
}

/* What numbers do not depend on stands on the page alone. */
static bool stands_in_line(const struct dict_fact *f)
{
	static const char *const no[] = {"format", "encoder", "model"};
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (!strcmp(f->name, no[i]) && f->origin != DICT_GUESS)
			return false;
	return true;
}

int app_draw_provenance(struct app *a, struct rect r)
{
	size_t n;
	const struct dict_fact *f = dict_provenance(a->session->atlas->dict, &n);
	struct buf b = BUF_INIT;
	int x = 1, y = 0;
	rect_fill(r, 0, 0, r.w, 1, STYLE_DIM, ' ');
	for (size_t o = 0; o < ARRAY_LEN(origins); o++)
		for (size_t i = 0; i < n; i++) {
			if (f[i].origin != origins[o] || !stands_in_line(&f[i]))
				continue;
			bool guess = f[i].origin == DICT_GUESS;
			buf_clear(&b);
			buf_addf(&b, "%s %.*s", f[i].name, (int)strcspn(f[i].value, ";"), f[i].value);
			if (f[i].origin != DICT_FROM_FILE)
				buf_addf(&b, " (%s)", dict_origin_name(f[i].origin));
			if (x > 1 && x + text_width(b.s, b.n) > r.w - 1) {
				x = 1;
				if (++y < r.h)
					rect_fill(r, 0, y, r.w, 1, STYLE_DIM, ' ');
			}
			if (y < r.h)
				rect_put_cut(r, x, y, r.w - 1 - x, guess ? STYLE_TITLE_GUESS : STYLE_DIM, b.s, b.n);
			x += text_width(b.s, b.n) + 2;
		}
	buf_release(&b);
	return y + 1;
}

static void toggle_provenance(struct app *a)
{
	bool on = app_setting_number(a, SET_PROVENANCE);
	app_set(a, SET_PROVENANCE, on ? "no" : "yes", NULL);
	if (!on)
		app_message(a, "gd says how each of these is known");
}

static void toggle_fold(struct app *a)
{
	bool turned = app_setting_number(a, SET_FOLD);
	bool folded = dict_info(a->session->atlas->dict)->rescale_by_decoder_norm;
	if (atlas_as_published(a->session->atlas)) {
		app_message(a, "values are as published; whether decoder norms are in them is not said");
		return;
	}
	app_set(a, SET_FOLD, turned ? "as-stored" : "turned", NULL);
	app_message(a, turned	? "values as the dictionary has them"
		       : folded ? "values with the decoder norm taken out, as SAELens has them"
				: "values times the decoder norm, as Neuronpedia has them");
}

static void show_exact(struct app *a)
{
	struct view *v = app_top(a);
	struct buf b = BUF_INIT;
	if (v->class->exact)
		v->class->exact(v, &b);
	if (b.n)
		app_popup(a, "exact", b.s);
	else
		app_message(a, "there is no number under the cursor");
	buf_release(&b);
}

struct marks_list {
	struct app *a;
	struct app_menu_item items[100];
	u32 feature[62];
	char tag[38][NOTE_MAX_TAG + 1];
	u32 count[38];
	size_t n, n_tags; /* bookmarks; the tags follow them */
};

static void add_bookmark(void *context, u32 feature, const char *name, const char *text, i64 when)
{
	struct marks_list *m = context;
	(void)text;
	(void)when;
	if (m->n == ARRAY_LEN(m->feature) || feature >= m->a->session->atlas->n_features)
		return;
	char *label = session_label_text(m->a->session, feature);
	m->feature[m->n] = feature;
	m->items[m->n++] = (struct app_menu_item){(u8)name[0], xasprintf("#%u %s", feature, label)};
	free(label);
}

static void add_tag(void *context, u32 feature, const char *name, const char *text, i64 when)
{
	struct marks_list *m = context;
	size_t i = 0;
	(void)feature;
	(void)text;
	(void)when;
	while (i < m->n_tags && strcmp(m->tag[i], name))
		i++;
	if (i == ARRAY_LEN(m->tag))
		return;
	if (i == m->n_tags) {
		snprintf(m->tag[i], sizeof m->tag[i], "%s", name);
		m->n_tags++;
	}
	m->count[i]++;
}

static void list_bookmarks(struct app *a, struct marks_list *m)
{
	struct err e = {0};
	*m = (struct marks_list){.a = a};
	if (note_each(a->session->note, NOTE_BOOKMARK, add_bookmark, m, &e) ||
	    note_each(a->session->note, NOTE_TAG, add_tag, m, &e))
		app_error(a, &e);
	for (size_t i = 0; i < m->n_tags; i++) {
		char *text = xasprintf("tag:%s  %u feature%s", m->tag[i], m->count[i], m->count[i] == 1 ? "" : "s");
		m->items[m->n + i] = (struct app_menu_item){0, text};
	}
}

static void release_bookmarks(struct marks_list *m)
{
	for (size_t i = 0; i < m->n + m->n_tags; i++)
		free((void *)(uintptr_t)m->items[i].text);
}

static void bookmark_chosen(struct view *v, size_t i)
{
	struct marks_list m;
	struct app *a = v->app;
	list_bookmarks(a, &m);
	if (i < m.n) {
		app_push_feature(a, m.feature[i]);
	} else if (i - m.n < m.n_tags) {
		char *query = xasprintf("tag:%s", m.tag[i - m.n]);
		a->at = 0;
		features_restore(app_list(a), "query", query);
		free(query);
	}
	release_bookmarks(&m);
}

static void show_bookmarks(struct app *a)
{
	struct marks_list m;
	list_bookmarks(a, &m);
	if (m.n + m.n_tags)
		app_menu(app_top(a), "bookmarks and tags", m.items, m.n + m.n_tags, bookmark_chosen);
	else
		app_message(a, "no bookmark and no tag is set; m and a letter, or t, sets one");
	release_bookmarks(&m);
}

static void history_chosen(struct view *v, size_t i)
{
	struct app *a = v->app;
	if (i < a->n_stack)
		a->at = i;
}

static void show_history(struct app *a)
{
	struct app_menu_item items[APP_STACK_MAX];
	char *texts[APP_STACK_MAX];
	size_t n = a->n_stack;
	for (size_t i = 0; i < n; i++) {
		struct view *v = a->stack[i];
		struct buf b = BUF_INIT;
		buf_adds(&b, i == a->at ? "* " : "  ");
		if (v->class->crumb)
			v->class->crumb(v, &b);
		else
			buf_adds(&b, v->class->title ? v->class->title : v->class->name);
		texts[i] = buf_take(&b);
		items[i] = (struct app_menu_item){i < 9 ? '1' + (u32)i : 0, texts[i]};
	}
	app_menu(app_top(a), "screens", items, n, history_chosen);
	a->menu.at = a->at;
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
}

/* ---- copying ---- */

static void copy_command(struct app *a)
{
	struct view *v = app_top(a);
	struct buf b = BUF_INIT;
	u32 f;
	if (v->class->command)
		v->class->command(v, &b);
	else if (app_current_feature(a, &f)) {
		atlas_add_command(a->session->atlas, "show", &b);
		buf_addf(&b, " %u", f);
	}
	if (b.n)
		app_copy(a, b.s);
	else
		app_message(a, "this screen has no command of its own");
	buf_release(&b);
}

static void copy_id(struct app *a)
{
	u32 f;
	if (!app_current_feature(a, &f)) {
		app_message(a, "no feature is under the cursor");
		return;
	}
	char *text = xasprintf("#%u", f);
	app_copy(a, text);
	free(text);
}

static void go_features(struct app *a)
{
	a->at = 0;
	a->dirty = true;
}

const struct view_class *app_view_of(enum action action)
{
	static const struct {
		enum action action;
		const struct view_class *c;
	} views[] = {
#define VIEW(name, action) {action, &view_##name},
#include "view/views.def"
#undef VIEW
	};
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		if (views[i].action == action)
			return views[i].c;
	return NULL;
}

bool app_go_act(struct app *a, enum action action, int count)
{
	const struct view_class *c = app_view_of(action);
	if (c) {
		go_view(a, c);
		return true;
	}
	switch (action) {
	case ACT_GO_FEATURES: go_features(a); break;
	case ACT_GO_FEATURE: case ACT_OPEN: go_feature(a); break;
	case ACT_GO_BOOKMARKS: show_bookmarks(a); break;
	case ACT_GO_HISTORY: show_history(a); break;
	case ACT_GO_ATLAS: show_atlas(a); break;
	case ACT_GO_RANDOM: go_random(a); break;
	case ACT_GO_ID: ask_id(a); break;
	case ACT_QUERY: go_features(a); app_act(a, action, 0); break;
	case ACT_NEXT_FEATURE: step(a, count ? count : 1); break;
	case ACT_PREVIOUS_FEATURE: step(a, count ? -count : -1); break;
	case ACT_SEARCH: app_search_prompt(a); break;
	case ACT_NEXT_HIT: app_next_hit(a, 1); break;
	case ACT_PREVIOUS_HIT: app_next_hit(a, -1); break;
	case ACT_COMPARE: app_compare_selected(a); break;
	case ACT_EXACT: show_exact(a); break;
	case ACT_PROVENANCE: toggle_provenance(a); break;
	case ACT_GO_DICTIONARY: show_dictionary(a); break;
	case ACT_VIEW_FOLD: toggle_fold(a); break;
	case ACT_COPY: copy_id(a); break;
	case ACT_COPY_COMMAND: copy_command(a); break;
	case ACT_EXPORT: app_export(a); break;
	case ACT_REFRESH: app_changed(a, CHANGE_EDIT); break;
	default: return false;
	}
	return true;
}
