/* SPDX-License-Identifier: MIT */
/* app.c - the terminal program: start, the loop, the end. */
#include "config.h"

#include "view/app_private.h"

#include "base/bits.h"
#include "base/mapfile.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "base/shell.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 8 /* with what is read for a frame */ };

i64 app_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (i64)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct session *app_session(struct app *a)
{
	return a->session;
}

struct session *app_other(struct app *a)
{
	return a->other;
}

struct view *app_top(struct app *a)
{
	return a->stack[a->at];
}

void app_size(const struct app *a, int *w, int *h)
{
	*w = a->grid.w;
	*h = a->grid.h;
}

bool app_is_ascii(struct app *a)
{
	return a->ascii;
}

bool app_is_script(struct app *a)
{
	return a->script_mode;
}

void app_changed(struct app *a, enum view_change what)
{
	for (size_t i = 0; i < a->n_stack; i++)
		if (a->stack[i]->class->changed)
			a->stack[i]->class->changed(a->stack[i], what);
	a->dirty = true;
}

/* ---- the clockwork ---- */

void app_drain_wake_pipe(struct app *a)
{
	char bytes[64];
	while (read(a->wake_read, bytes, sizeof bytes) > 0)
		;
}

static bool watches_jobs(const struct app *a)
{
	return a->stack[a->at]->class == &view_jobs && !app_jobs_idle(a);
}

static void tick(struct app *a)
{
	struct view *v = app_top(a);
	i64 now = app_now_ms();
	bool woken = atomic_load(&a->woken);
	if (!a->script_mode && now - a->tick_at < TICK_MS)
		return;
	if (!woken && !app_job_runs(v) && !watches_jobs(a))
		return;
	atomic_store(&a->woken, false);
	a->tick_at = now;
	if (!v->class->tick || v->class->tick(v))
		a->dirty = true;
}

void app_work_off(struct app *a)
{
	app_jobs_collect(a);
	tick(a);
}

static int timeout_ms(struct app *a)
{
	i64 now = app_now_ms(), wait = -1;
	if (a->typed.n) {
		i64 left = a->typed_at + app_setting_number(a, SET_WHICH_KEY) - now;
		wait = left > 0 ? left : -1;
	}
	if (atomic_load(&a->woken) || app_job_runs(app_top(a)) || watches_jobs(a)) {
		i64 left = MAX(a->tick_at + TICK_MS - now, 1);
		wait = wait < 0 ? left : MIN(wait, left);
	}
	return (int)wait;
}

void app_resize(struct app *a, int w, int h)
{
	if (a->record)
		fprintf(a->record, "size %dx%d\n", w, h);
	grid_resize(&a->grid, w, h);
	a->dirty = true;
}

static void take_paste(struct app *a)
{
	struct buf text = BUF_INIT;
	struct term_event ev;
	i64 until = app_now_ms() + 2000;
	do {
		term_next(&ev);
		char c[4];
		if (ev.key == KEY_NONE_YET) {
			struct pollfd p = {term_fd(), POLLIN, 0};
			poll(&p, 1, 50);
			continue;
		}
		/* only silence ends a paste whose end is lost: what is left of it would be commands */
		until = app_now_ms() + 2000;
		if (ev.key < KEY_SPECIAL)
			buf_add(&text, c,
				ev.key == KEY_RETURN ? (c[0] = ' ', 1) : utf8_encode((i32)ev.key, c));
	} while (ev.key != KEY_PASTE_END && app_now_ms() < until);
	if (a->prompt.open) {
		prompt_insert(&a->prompt.p, text.s, text.n);
		app_prompt_key(a, KEY_NONE_YET);
	} else
		app_message(a, "pasted text goes into prompts only");
	buf_release(&text);
}

static void take_keys(struct app *a)
{
	struct term_event ev;
	for (term_next(&ev); ev.key != KEY_NONE_YET && !a->quit; term_next(&ev)) {
		if (ev.key == KEY_RESIZED) {
			int w, h;
			term_size(&w, &h);
			app_resize(a, w, h);
			term_redraw(); /* what the terminal itself made of its screen is not known */
		} else if (ev.key == KEY_MOUSE_EVENT)
			app_mouse(a, &ev);
		else if (ev.key == KEY_PASTE_BEGIN)
			take_paste(a);
		else
			app_key(a, ev.key);
		app_jobs_collect(a);
	}
}

static void show(struct app *a)
{
	i64 until = app_now_ms() + PATIENCE_MS;
	do {
		a->dirty = false;
		app_reads_begin_frame(a);
		app_draw(a);
	} while (app_reads_end_frame(a, until));
	term_flush(&a->grid);
}

static void run_terminal(struct app *a)
{
	int w, h;
	term_size(&w, &h);
	app_resize(a, w, h);
	while (!a->quit) {
		app_work_off(a);
		if (a->dirty)
			show(a);
		struct pollfd p[2] = {{term_fd(), POLLIN, 0}, {a->wake_read, POLLIN, 0}};
		int n = poll(p, 2, timeout_ms(a));
		app_drain_wake_pipe(a);
		if (p[0].revents & (POLLHUP | POLLERR | POLLNVAL))
			break; /* the terminal has gone */
		if (n == 0)
			a->dirty |= a->typed.n > 0; /* time to show what may follow */
		else
			take_keys(a);
	}
}

/* ---- start and end ---- */

static int open_wake_pipe(struct app *a, struct err *e)
{
	int fd[2];
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK))
		return err_os(e, "cannot make a pipe");
	a->wake_read = fd[0];
	a->wake_write = fd[1];
	return 0;
}

static int open_screen(struct app *a, const struct app_options *o, struct err *e)
{
	app_config_load(a);
	if (o->theme && settings_set(&a->settings, SET_THEME, o->theme, e))
		return -1;
	if (o->ascii)
		settings_set(&a->settings, SET_ASCII, "yes", NULL);
	if (app_apply_theme(a, a->settings.text[SET_THEME], e)) {
		if (o->theme)
			return -1;
		app_error(a, e); /* a theme that has gone is no reason to stay out */
	}
	if (o->script) {
		a->script_mode = true;
		grid_init(&a->grid, o->w ? o->w : 80, o->h ? o->h : 24);
		app_apply_terminal(a);
		return (a->script = script_open(o->script, e)) ? 0 : -1;
	}
	struct term_options t = {a->wish, app_setting_number(a, SET_ASCII), !app_setting_number(a, SET_MOUSE),
				 a->wake_write};
	if (term_open(&t, e))
		return -1;
	mem_on_exhaustion(term_emergency);
	mapfile_on_sigbus(term_emergency);
	app_apply_terminal(a);
	grid_init(&a->grid, 80, 24);
	return 0;
}

static void release(struct app *a)
{
	app_jobs_end(a, NULL);
	app_free_views(a);
	app_jobs_close(a);
	app_prompt_close(a);
	app_menu_close(a);
	app_reads_release(a);
	app_search_release(&a->search);
	for (size_t i = 0; i < a->n_histories; i++) {
		history_release(&a->histories[i].h);
		free(a->histories[i].name);
	}
	free(a->histories);
	for (size_t i = 0; i < a->n_log; i++)
		free(a->log[i]);
	free(a->log);
	free(a->popup_title);
	free(a->popup_lines);
	free(a->search_before);
	free(a->text_search);
	free(a->marks);
	buf_release(&a->message);
	keymap_release(&a->keymap);
	app_config_release(a);
	script_free(a->script);
	if (a->record)
		fclose(a->record);
	grid_release(&a->grid);
	if (a->wake_read >= 0)
		close(a->wake_read);
	if (a->wake_write >= 0)
		close(a->wake_write);
	session_free(a->other);
	session_free(a->session);
}

static int start(struct app *a, const struct app_options *o, struct err *e)
{
	a->session = session_open_with(o->atlas, &o->dict, o->backend, e);
	if (a->session && o->other && !(a->other = session_open(o->other, NULL, e)))
		return -1;
	a->script_mode = o->script != NULL;
	app_keys_init(a);
	if (o->record && !(a->record = fopen(o->record, "w")))
		return err_os(e, "cannot write '%s'", o->record);
	if (!a->session || open_wake_pipe(a, e) || open_screen(a, o, e))
		return -1;
	pool_stay_behind(a->session->pool);
	a->grid.ascii = a->ascii;
	if (!(a->marks = mem_try(bits_words(a->session->atlas->n_features), sizeof *a->marks, "the selection", e)))
		return -1;
	a->random = a->script_mode ? 1 : (u64)time(NULL) * 2654435761u;
	app_push(a, &view_features, NULL);
	if (!a->n_stack)
		return err_set(e, ERR_FAILED, "%s", a->message.s);
	if (o->resume || (!a->script_mode && app_setting_number(a, SET_RESUME)))
		app_resume(a);
	else if (!a->script_mode && !o->tour && !app_has_session(a))
		app_message(a, "Welcome. / finds features by words of their labels, Enter opens one, ? has all keys; "
			       ":tour shows around in two minutes.");
	if (o->tour)
		app_tour_begin(a);
	const char *why = note_read_only(a->session->note);
	if (why)
		app_message(a, "read only: %s", why);
	return 0;
}

int app_run(const struct app_options *o, struct err *e)
{
	struct app *a = xcalloc(1, sizeof *a);
	a->options = o;
	a->wake_read = a->wake_write = -1;
	a->last_feature = a->jump_from = a->range_from = NO_FEATURE;
	a->theme = THEME_DARK;
	a->wish = -1;
	a->dirty = true;
	buf_init(&a->message);
	settings_init(&a->settings);
	int r = start(a, o, e);
	if (!r && a->script_mode)
		r = app_run_script(a, e);
	else if (!r)
		run_terminal(a);
	/* where the terminal has gone, the hang-up that follows must not cut what is being written */
	if (!a->script_mode)
		signal(SIGHUP, SIG_IGN);
	if (!r && (!a->script_mode || o->resume))
		app_resume_save(a);
	term_close();
	release(a);
	free(a);
	return r;
}

/* ---- words, files, the editor ---- */

static void log_message(struct app *a)
{
	a->log = xreallocarray(a->log, a->n_log + 1, sizeof *a->log);
	a->log[a->n_log++] = xstrdup(a->message.s);
	a->dirty = true;
}

void app_message(struct app *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_clear(&a->message);
	buf_vaddf(&a->message, fmt, ap);
	va_end(ap);
	a->message_bad = false;
	log_message(a);
}

void app_error(struct app *a, const struct err *e)
{
	app_message(a, "%s", e->msg);
	a->message_bad = true;
}

void app_popup(struct app *a, const char *title, const char *lines)
{
	free(a->popup_title);
	free(a->popup_lines);
	a->popup_title = xstrdup(title);
	a->popup_lines = xstrdup(lines);
	a->popup_top = 0;
	a->dirty = true;
}

void app_copy(struct app *a, const char *text)
{
	bool on = app_setting_number(a, SET_CLIPBOARD);
	if (on && !a->script_mode)
		term_copy(text);
	app_message(a, on ? "copied: %s" : "%s   (:set clipboard=osc52 copies it to the clipboard)", text);
}

bool app_save(struct app *a, const char *stem, const char *extension, const struct buf *text)
{
	struct err e = {0};
	for (int i = 1; i < 1000; i++) {
		char *path = xasprintf("featlas-%s-%d.%s", stem, i, extension);
		bool there = access(path, F_OK) == 0;
		if (!there && outfile_write_all(path, text->s, text->n, &e))
			app_error(a, &e);
		else if (!there)
			app_message(a, "saved as %s", path);
		free(path);
		if (!there)
			return !e.msg[0];
	}
	app_message(a, "there are 999 files featlas-%s-N.%s here already", stem, extension);
	return false;
}

static char *read_all(const char *path)
{
	FILE *f = fopen(path, "r");
	if (!f)
		return NULL;
	struct buf b = BUF_INIT;
	char chunk[4096];
	for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0 && b.n < 1 << 20;)
		buf_add(&b, chunk, n);
	fclose(f);
	while (b.n && b.s[b.n - 1] == '\n')
		buf_remove(&b, b.n - 1, 1);
	return buf_take(&b);
}

static const char *editor(void)
{
	const char *visual = getenv("VISUAL"), *other = getenv("EDITOR");
	return visual && *visual ? visual : other && *other ? other : "vi";
}

char *app_edit_text(struct app *a, const char *text)
{
	const char *dir = getenv("TMPDIR");
	char *path = xasprintf("%s/featlas-XXXXXX", dir && dir[0] ? dir : "/tmp"), *got = NULL;
	int fd = mkstemp(path);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		app_message(a, "cannot write '%s': %s", path, strerror(errno));
	else {
		struct buf command = BUF_INIT;
		buf_addf(&command, "exec %s ", editor()); /* words for a shell, as all programs take it */
		shell_add_path(&command, path);
		if (!a->script_mode)
			term_leave();
		int status = system(command.s);
		if (!a->script_mode)
			term_return();
		buf_release(&command);
		if (status == 0)
			got = read_all(path);
		else if (WIFEXITED(status) && (WEXITSTATUS(status) == 127 || WEXITSTATUS(status) == 126))
			app_message(a, "the editor '%s' cannot be run: $VISUAL or $EDITOR names it", editor());
		else
			app_message(a, "the editor '%s' failed; nothing was changed", editor());
	}
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	free(path);
	a->dirty = true;
	if (got && !strcmp(got, text)) {
		free(got);
		got = NULL;
		app_message(a, "nothing was changed");
	}
	return got;
}
