/* SPDX-License-Identifier: MIT */
/* cmd.c - the command table, the parsing of command lines, help and errors. */
#include "config.h"

#include "cmd/cmd.h"

#include "base/mapfile.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct command commands[] = {
#define COMMAND(name, fn, synopsis, help, min, max, options) {name, synopsis, help, min, max, options, fn},
#include "cmd/commands.def"
#undef COMMAND
};
const size_t n_commands = ARRAY_LEN(commands);

static const struct option {
	const char *name;
	char letter;
	const char *argument, *help;
} options[] = {
#define OPTION(name, letter, argument, help) {name, letter, argument, help},
#include "cmd/options.def"
#undef OPTION
};

const char *arg_str(const struct cmd_args *a, const char *name, const char *def)
{
	for (size_t i = a->n_options; i-- > 0;)
		if (!strcmp(a->options[i].name, name))
			return a->options[i].value;
	return def;
}

bool arg_flag(const struct cmd_args *a, const char *name)
{
	return arg_str(a, name, NULL) != NULL;
}

size_t arg_all(const struct cmd_args *a, const char *name, const char **out, size_t cap)
{
	size_t n = 0;
	for (size_t i = 0; i < a->n_options; i++)
		if (!strcmp(a->options[i].name, name) && n++ < cap)
			out[n - 1] = a->options[i].value;
	return n;
}

int arg_u64(const struct cmd_args *a, const char *name, u64 def, u64 min, u64 max, u64 *out, struct err *e)
{
	const char *s = arg_str(a, name, NULL);
	*out = def;
	if (!s)
		return 0;
	char *end;
	errno = 0;
	unsigned long long v = strtoull(s, &end, 10);
	if (errno || end == s || *end || s[0] == '-' || v < min || v > max)
		return err_set(e, ERR_USAGE, "--%s wants a whole number from %llu to %llu, not '%s'", name,
			       (unsigned long long)min, (unsigned long long)max, s);
	*out = v;
	return 0;
}

int arg_f64(const struct cmd_args *a, const char *name, f64 def, f64 *out, struct err *e)
{
	const char *s = arg_str(a, name, NULL);
	*out = def;
	if (!s)
		return 0;
	char *end;
	f64 v = strtod(s, &end);
	if (end == s || *end || !isfinite(v))
		return err_set(e, ERR_USAGE, "--%s wants a number, not '%s'", name, s);
	*out = v;
	return 0;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < n_commands; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static bool takes(const struct command *c, const char *option)
{
	size_t n = strlen(option);
	for (const char *s = c->options; (s = strstr(s, option)); s += n)
		if ((s == c->options || s[-1] == ' ') && (s[n] == 0 || s[n] == ' '))
			return true;
	return !strcmp(option, "help");
}

static const struct option *find_option(const struct command *c, const char *name, size_t n, char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		bool same = letter ? options[i].letter == letter
				   : strlen(options[i].name) == n && !strncmp(options[i].name, name, n);
		if (same && takes(c, options[i].name))
			return &options[i];
	}
	return NULL;
}

static void print_command(const struct command *c)
{
	printf("usage: featlas %s %s\n\n%s\n", c->name, c->synopsis, c->help);
	bool any = false;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option *o = &options[i];
		if (!takes(c, o->name) || !strcmp(o->name, "version"))
			continue;
		if (!any)
			puts("");
		any = true;
		char left[64];
		snprintf(left, sizeof left, "%c%c%s--%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
			 o->letter ? ", " : "  ", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
		printf("  %-30s %s\n", left, o->help);
	}
}

static void print_all(FILE *f)
{
	fputs("usage: featlas [ATLAS]                open the atlas in the terminal\n"
	      "       featlas COMMAND [ARGUMENT ...]\n\n",
	      f);
	for (size_t i = 0; i < n_commands; i++)
		fprintf(f, "  %-11s %s\n", commands[i].name, commands[i].help);
	fputs("\n'featlas help COMMAND' says more; the manual is featlas(1).\n", f);
}

int cmd_help(const struct cmd_args *a, struct err *e)
{
	if (!a->n_positional) {
		print_all(stdout);
		return EXIT_OK;
	}
	const struct command *c = find_command(a->positional[0]);
	if (!c)
		return err_set(e, ERR_USAGE, "there is no command '%s'", a->positional[0]);
	print_command(c);
	return EXIT_OK;
}

static int parse(const struct command *c, int argc, char **argv, struct cmd_args *a, struct err *e)
{
	bool only_positional = false;
	for (int i = 0; i < argc; i++) {
		char *s = argv[i];
		/* "-3" and "-" are arguments */
		bool is_option = !only_positional && s[0] == '-' && s[1] && !(s[1] >= '0' && s[1] <= '9') && s[1] != '.';
		if (!is_option) {
			a->positional[a->n_positional++] = s;
			continue;
		}
		if (!strcmp(s, "--")) {
			only_positional = true;
			continue;
		}
		const char *value = NULL;
		const struct option *o;
		if (s[1] == '-') {
			size_t n = strcspn(s + 2, "=");
			if (s[2 + n] == '=')
				value = s + 3 + n;
			o = find_option(c, s + 2, n, 0);
		} else {
			o = find_option(c, NULL, 0, s[1]);
			if (s[2])
				value = s + 2;
		}
		if (!o)
			return err_set(e, ERR_USAGE, "there is no option '%s'; see 'featlas help %s'", s, c->name);
		if (o->argument && !value && i + 1 < argc)
			value = argv[++i];
		if (o->argument && !value)
			return err_set(e, ERR_USAGE, "--%s wants %s", o->name, o->argument);
		if (!o->argument && value)
			return err_set(e, ERR_USAGE, "--%s takes no value", o->name);
		a->options[a->n_options].name = o->name;
		a->options[a->n_options++].value = value ? value : "";
	}
	if (arg_flag(a, "help"))
		return 0;
	if ((int)a->n_positional < c->min_args || (int)a->n_positional > c->max_args)
		return err_set(e, ERR_USAGE, "usage: featlas %s %s", c->name, c->synopsis);
	return 0;
}

int cmd_status(const struct err *e)
{
	switch (e->code) {
	case ERR_DAMAGED:
		return EXIT_DAMAGED;
	case ERR_CANCELLED:
		return EXIT_INTERRUPTED;
	default:
		return EXIT_ERROR;
	}
}

/* The status in the end: what was printed must have arrived. */
static int flush_output(const char *command, int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		fprintf(stderr, "featlas%s%s: cannot write the output: %s\n", *command ? " " : "", command,
			strerror(errno));
	return EXIT_ERROR;
}

int cmd_main(int argc, char **argv)
{
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_all(argc < 2 ? stderr : stdout);
		return flush_output("", argc < 2 ? EXIT_ERROR : EXIT_OK);
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("featlas %s\n", PACKAGE_VERSION);
		return flush_output("", EXIT_OK);
	}
	const struct command *c = find_command(argv[1]);
	if (!c) {
		fprintf(stderr, "featlas: there is no command '%s'; see 'featlas help'\n", argv[1]);
		return EXIT_ERROR;
	}
	mapfile_on_sigbus(NULL);
	struct err e = {0};
	struct cmd_args a = {.command = c->name};
	a.positional = xcalloc((size_t)argc, sizeof *a.positional);
	a.options = xcalloc((size_t)argc, sizeof *a.options);
	int status = 0;
	if (parse(c, argc - 2, argv + 2, &a, &e))
		status = -1;
	else if (arg_flag(&a, "help"))
		print_command(c);
	else
		status = c->run(&a, &e);
	if (status < 0) {
		/* a message may quote what stood in a file */
		struct buf b = BUF_INIT;
		utf8_add_safe(&b, e.msg, strlen(e.msg));
		fprintf(stderr, "featlas %s: %s\n", c->name, b.s);
		buf_release(&b);
		status = cmd_status(&e);
	}
	status = flush_output(c->name, status);
	free(a.positional);
	free(a.options);
	return status;
}

void cmd_print_json(json_t *j)
{
	struct buf b = BUF_INIT;
	json_add_line(&b, j);
	buf_addc(&b, '\n');
	fwrite(b.s, 1, b.n, stdout);
	buf_release(&b);
	json_decref(j);
}
