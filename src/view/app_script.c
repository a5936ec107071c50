/* SPDX-License-Identifier: MIT */
/* app_script.c - the app driven by a key script instead of a terminal; what the script dumps goes to standard output. */
#include "view/app_private.h"

#include "base/outfile.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

static void wait_idle(struct app *a)
{
	for (app_work_off(a); !app_jobs_idle(a); app_work_off(a)) {
		struct pollfd p = {a->wake_read, POLLIN, 0};
		poll(&p, 1, 1000);
		app_drain_wake_pipe(a);
	}
}

static int save_shot(struct app *a, const char *path, struct err *e)
{
	struct buf b = BUF_INIT;
	const char *dot = strrchr(path, '.');
	int r = grid_dump_as(&a->grid, dot ? dot + 1 : "", a->theme, &b)
			? outfile_write_all(path, b.s, b.n, e)
			: err_set(e, ERR_USAGE, "a picture's name ends in .svg, .html, .ans or .txt, not '%s'", path);
	buf_release(&b);
	return r;
}

static int check_shown(struct app *a, const char *text, struct err *e)
{
	struct buf b = BUF_INIT;
	grid_dump(&a->grid, &b, false);
	bool shown = strstr(b.s, text) != NULL;
	buf_release(&b);
	return shown ? 0 : err_set(e, ERR_FAILED, "the script expects '%s', which is not on the screen", text);
}

static void print_dump(struct app *a, const struct script_step *s)
{
	struct buf b = BUF_INIT;
	if (s->text[0])
		buf_addf(&b, "--- %s\n", s->text);
	if (s->kind == SCRIPT_DUMP)
		grid_dump(&a->grid, &b, true);
	else if (s->kind == SCRIPT_ATTRS)
		grid_dump_attrs(&a->grid, &b);
	else
		grid_dump_looks(&a->grid, a->theme, &b);
	fwrite(b.s, 1, b.n, stdout);
	buf_release(&b);
}

int app_run_script(struct app *a, struct err *e)
{
	struct script_step s;
	bool hurry = false;
	for (;;) {
		if (hurry)
			app_work_off(a);
		else
			wait_idle(a);
		if (a->quit)
			return 0;
		app_draw(a);
		script_next(a->script, &s);
		if (s.kind == SCRIPT_END)
			return 0;
		if (s.kind == SCRIPT_KEY)
			app_key(a, s.key);
		else if (s.kind == SCRIPT_WAIT || s.kind == SCRIPT_HURRY)
			hurry = s.kind == SCRIPT_HURRY;
		else if (s.kind == SCRIPT_SIZE)
			app_resize(a, s.w, s.h);
		else if (s.kind == SCRIPT_SAY)
			printf("%s\n", s.text);
		else if (s.kind == SCRIPT_SHOT && save_shot(a, s.text, e))
			return -1;
		else if (s.kind == SCRIPT_EXPECT && check_shown(a, s.text, e))
			return -1;
		else if (s.kind == SCRIPT_DUMP || s.kind == SCRIPT_ATTRS || s.kind == SCRIPT_LOOKS)
			print_dump(a, &s);
	}
}
