/* SPDX-License-Identifier: MIT */
/* docgen.c - the manual and the shells' completion from the program's own tables.
 *
 * docgen man FILE.in   the file, with lines @COMMANDS@, @QUERY_KEYS@, @KEYS@, @SETTINGS@, @ACTIONS@,
 *                      @SCREENS@ and @STYLES@ replaced by mdoc, and @VERSION@ by the version
 * docgen bash|zsh      completion for that shell
 */
#include "config.h"

#include "base/buf.h"
#include "cmd/cmd.h"
#include "core/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *synopsis, *help, *options;
} table[] = {
#define COMMAND(name, fn, synopsis, help, min, max, options) {name, synopsis, help, options},
#include "cmd/commands.def"
#undef COMMAND
};

static const struct option {
	const char *name;
	char letter;
	const char *argument, *help;
} options[] = {
#define OPTION(name, letter, argument, help) {name, letter, argument, help},
#include "cmd/options.def"
#undef OPTION
};

static const struct {
	const char *id, *name, *group, *contexts, *keys, *help;
} actions[] = {
#define ACTION(id, name, group, contexts, keys, help) {#id, name, group, contexts, keys, help},
#define BIND(id, contexts, keys)
#define MEANS(id, contexts, help)
#include "view/actions.def"
#undef ACTION
#undef BIND
#undef MEANS
};

static const struct {
	const char *id, *contexts, *help;
} meanings[] = {
#define ACTION(id, name, group, contexts, keys, help)
#define BIND(id, contexts, keys)
#define MEANS(id, contexts, help) {#id, contexts, help},
#include "view/actions.def"
#undef ACTION
#undef BIND
#undef MEANS
};

static const struct {
	const char *id, *contexts, *keys;
} bindings[] = {
#define ACTION(id, name, group, contexts, keys, help)
#define BIND(id, contexts, keys) {#id, contexts, keys},
#define MEANS(id, contexts, help)
#include "view/actions.def"
#undef ACTION
#undef BIND
#undef MEANS
};

static const struct {
	const char *name, *choices, *first, *help;
} settings[] = {
#define SETTING(id, name, choices, first, help) {name, choices, first, help},
#include "view/settings.def"
#undef SETTING
};

static const char *const screens[] = {
#define VIEW(name, action) #name,
#include "view/views.def"
#undef VIEW
};

static const char *const styles[] = {
#define STYLE(id, name, mono, dark, light, contrast) name,
#include "ui/styles.def"
#undef STYLE
};

static bool has_word(const char *words, const char *word)
{
	size_t n = strlen(word);
	for (const char *s = words; (s = strstr(s, word)); s += n)
		if ((s == words || s[-1] == ' ') && (s[n] == 0 || s[n] == ' '))
			return true;
	return false;
}

/* mdoc: the text of one argument, or of running text, with nothing in it for roff to see. */
static void put_text(const char *s)
{
	for (; *s; s++) {
		if (*s == '\\')
			fputs("\\e", stdout);
		else if (*s == '-')
			fputs("\\-", stdout);
		else if (*s == '\'')
			fputs("\\(aq", stdout);
		else if (*s == '`')
			fputs("\\(ga", stdout);
		else if (*s == '^')
			fputs("\\(ha", stdout);
		else if (*s == '~')
			fputs("\\(ti", stdout);
		else if (*s == '"')
			fputs("\\(dq", stdout);
		else
			putchar(*s);
	}
}

static void put_line(const char *s)
{
	fputs("\\&", stdout);
	put_text(s);
	putchar('\n');
}

/* Words become arguments that no macro name can hide in. */
static void put_arguments(const char *s)
{
	while (*s) {
		size_t n = strcspn(s, " ");
		char word[128];
		snprintf(word, sizeof word, "%.*s", (int)n, s);
		fputs(" \\&", stdout);
		put_text(word);
		s += n + strspn(s + n, " ");
	}
}

static void put_commands(void)
{
	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		printf(".It Cm");
		put_arguments(table[i].name);
		if (table[i].synopsis[0]) {
			printf(" Ar");
			put_arguments(table[i].synopsis);
		}
		putchar('\n');
		put_line(table[i].help);
		bool any = false;
		for (size_t o = 0; o < ARRAY_LEN(options); o++) {
			if (!has_word(table[i].options, options[o].name))
				continue;
			if (!any)
				puts(".Bl -tag -width Ds -compact");
			any = true;
			fputs(".It Fl", stdout);
			if (options[o].letter)
				printf(" %c , Fl", options[o].letter);
			putchar(' ');
			fputs("\\-", stdout);
			put_text(options[o].name);
			if (options[o].argument) {
				fputs(" Ar", stdout);
				put_arguments(options[o].argument);
			}
			putchar('\n');
			put_line(options[o].help);
		}
		if (any)
			puts(".El");
	}
	puts(".El");
}

static void put_query_keys(void)
{
	puts(".Bl -tag -width suppresses:REGEX -compact");
	for (const struct query_key *k = query_keys; k->name; k++) {
		fputs(".It Cm \\&", stdout);
		put_text(k->name);
		putchar(':');
		put_text(k->value);
		putchar('\n');
		put_line(k->help);
	}
	puts(".El");
}

/* "<C-d>" is written ^D, "<lt>" <, "<Enter>" Enter. */
static void put_keys(const char *keys)
{
	for (const char *s = keys; *s; s++) {
		char name[32] = "";
		const char *end = *s == '<' ? strchr(s, '>') : NULL;
		if (!end) {
			snprintf(name, sizeof name, "%c", *s);
		} else {
			int n = (int)(end - s - 1);
			if (!strncmp(s, "<C-", 3) && n == 3)
				snprintf(name, sizeof name, "^%c", s[3] >= 'a' && s[3] <= 'z' ? s[3] - 32 : s[3]);
			else if (!strncmp(s, "<lt>", 4))
				snprintf(name, sizeof name, "<");
			else
				snprintf(name, sizeof name, "%.*s", n, s + 1);
			s = end;
		}
		put_text(name);
	}
}

static void put_action(size_t i)
{
	fputs(".It \\&", stdout);
	put_keys(actions[i].keys[0] ? actions[i].keys : "(no key)");
	fputs(" Pq Cm \\&", stdout);
	put_text(actions[i].name);
	putchar('\n');
	put_line(actions[i].help);
	if (strcmp(actions[i].contexts, "all")) {
		fputs(".Pq \\&on ", stdout);
		put_text(actions[i].contexts);
		putchar('\n');
	}
	for (size_t b = 0; b < ARRAY_LEN(bindings); b++) {
		if (strcmp(bindings[b].id, actions[i].id))
			continue;
		fputs(".Pq \\&also ", stdout);
		put_keys(bindings[b].keys);
		fputs(" on ", stdout);
		put_text(bindings[b].contexts);
		putchar('\n');
	}
	for (size_t m = 0; m < ARRAY_LEN(meanings); m++) {
		if (strcmp(meanings[m].id, actions[i].id))
			continue;
		fputs(".br\n\\&", stdout);
		put_text(meanings[m].contexts);
		fputs(": ", stdout);
		put_text(meanings[m].help);
		putchar('\n');
	}
}

static void put_actions(void)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		size_t before = 0;
		while (before < i && strcmp(actions[before].group, actions[i].group))
			before++;
		if (before < i)
			continue;
		printf(".Ss To ");
		put_line(actions[i].group);
		puts(".Bl -tag -width Ds -compact");
		for (size_t k = i; k < ARRAY_LEN(actions); k++)
			if (!strcmp(actions[k].group, actions[i].group))
				put_action(k);
		puts(".El");
	}
}

static void put_settings(void)
{
	puts(".Bl -tag -width Ds");
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		fputs(".It Cm \\&", stdout);
		put_text(settings[i].name);
		fputs(" = ", stdout);
		put_text(settings[i].first);
		putchar('\n');
		put_line(settings[i].help);
		const char *c = settings[i].choices;
		if (!c[0])
			continue;
		fputs(".Pq \\&", stdout);
		for (; *c; c++)
			if (*c == '|')
				fputs(" | ", stdout);
			else if (c[0] == '.' && c[1] == '.')
				fputs(" to ", stdout), c++;
			else
				putchar(*c);
		putchar('\n');
	}
	puts(".El");
}

static void put_words(const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		fputs(".Cm \\&", stdout);
		put_text(words[i]);
		puts(i + 1 < n ? " ," : " .");
	}
}

static void put_action_names(void)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		fputs(".Cm \\&", stdout);
		put_text(actions[i].name);
		puts(i + 1 < ARRAY_LEN(actions) ? " ," : " .");
	}
}

static int put_man(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[4096];
	if (!f) {
		fprintf(stderr, "docgen: cannot open '%s'\n", path);
		return 1;
	}
	while (fgets(line, sizeof line, f)) {
		const char *version = strstr(line, "@VERSION@");
		if (!strcmp(line, "@COMMANDS@\n"))
			put_commands();
		else if (!strcmp(line, "@QUERY_KEYS@\n"))
			put_query_keys();
		else if (!strcmp(line, "@KEYS@\n"))
			put_actions();
		else if (!strcmp(line, "@SETTINGS@\n"))
			put_settings();
		else if (!strcmp(line, "@ACTIONS@\n"))
			put_action_names();
		else if (!strcmp(line, "@SCREENS@\n"))
			put_words(screens, ARRAY_LEN(screens));
		else if (!strcmp(line, "@STYLES@\n"))
			put_words(styles, ARRAY_LEN(styles));
		else if (version)
			printf("%.*s%s%s", (int)(version - line), line, PACKAGE_VERSION, version + 9);
		else
			fputs(line, stdout);
	}
	fclose(f);
	return 0;
}

static int put_bash(void)
{
	puts("# bash completion for featlas; generated\n"
	     "_featlas()\n{\n\tlocal word=${COMP_WORDS[COMP_CWORD]} options=\n\tCOMPREPLY=()\n"
	     "\tif [ \"$COMP_CWORD\" = 1 ]; then");
	fputs("\t\tmapfile -t COMPREPLY < <(compgen -W '", stdout);
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		printf("%s%s", i ? " " : "", table[i].name);
	puts("' -- \"$word\"; compgen -d -- \"$word\")\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		printf("\t%s) options='--help", table[i].name);
		for (size_t o = 0; o < ARRAY_LEN(options); o++)
			if (has_word(table[i].options, options[o].name))
				printf(" --%s", options[o].name);
		puts("' ;;");
	}
	puts("\tesac\n\tcase $word in\n"
	     "\t-*) mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\") ;;\n"
	     "\t*) mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n"
	     "\tesac\n}\ncomplete -o filenames -F _featlas featlas");
	return 0;
}

/* Inside single quotes and brackets of _arguments. */
static void put_zsh(const char *s)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", stdout);
		else if (strchr("[]:\\", *s))
			printf("\\%c", *s);
		else
			putchar(*s);
	}
}

static int put_zsh_file(void)
{
	puts("#compdef featlas\n# generated\nlocal -a commands\ncommands=(");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		printf("\t'%s:", table[i].name);
		put_zsh(table[i].help);
		puts("'");
	}
	puts(")\nif (( CURRENT == 2 )); then\n\t_describe command commands\n\t_files -/\n\treturn\nfi\n"
	     "local command=$words[2]\nshift words\n(( CURRENT-- ))\ncase $command in");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		printf("%s)\n\t_arguments", table[i].name);
		for (size_t o = 0; o < ARRAY_LEN(options); o++) {
			if (!has_word(table[i].options, options[o].name))
				continue;
			printf(" \\\n\t\t'*--%s%s[", options[o].name, options[o].argument ? "=" : "");
			put_zsh(options[o].help);
			putchar(']');
			if (options[o].argument) {
				putchar(':');
				put_zsh(options[o].argument);
				fputs(":_files", stdout);
			}
			putchar('\'');
		}
		puts(" \\\n\t\t'*:argument:_files'\n\t;;");
	}
	puts("esac");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "man"))
		return put_man(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "bash"))
		return put_bash();
	if (argc == 2 && !strcmp(argv[1], "zsh"))
		return put_zsh_file();
	fputs("usage: docgen man FILE.in | bash | zsh\n", stderr);
	return 2;
}
