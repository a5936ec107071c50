/* SPDX-License-Identifier: MIT */
/* cmd.h - the subcommands.
 *
 * commands.def names every command with its synopsis, one line of help, its positional
 * arguments and its options; --help, the manual and completion are made from the same table.
 * A command gets its parsed options, prints data on stdout and messages on stderr, and
 * returns the exit status: 0 ok, 1 nothing found, 2 error, 3 damaged data, 130 interrupted.
 */
#ifndef FEATLAS_CMD_H
#define FEATLAS_CMD_H

#include "base/err.h"
#include "base/json.h"
#include "base/progress.h"

enum exit_status { EXIT_OK = 0, EXIT_NONE = 1, EXIT_ERROR = 2, EXIT_DAMAGED = 3, EXIT_INTERRUPTED = 130 };

struct cmd_args {
	const char *command;
	const char **positional;
	size_t n_positional;
	struct { const char *name, *value; } *options; /* long names without --, in order given; value "" for flags */
	size_t n_options;
};

/* The last value given, or def. */
const char *arg_str(const struct cmd_args *a, const char *name, const char *def);
bool arg_flag(const struct cmd_args *a, const char *name);
/* Every value of a repeatable option. */
size_t arg_all(const struct cmd_args *a, const char *name, const char **out, size_t cap);
/* Checked numbers: -1 and a sentence that names option and value. */
int arg_u64(const struct cmd_args *a, const char *name, u64 def, u64 min, u64 max, u64 *out, struct err *e);
int arg_f64(const struct cmd_args *a, const char *name, f64 def, f64 *out, struct err *e);

/* What --norm-scale and its like say of a dictionary. */
struct dict_options;
int cmd_dict_options(const struct cmd_args *a, struct dict_options *out, struct err *e);

struct command {
	const char *name, *synopsis, *help;
	int min_args, max_args;
	const char *options; /* names of options.def rows it takes, space separated */
	int (*run)(const struct cmd_args *a, struct err *e); /* exit status; -1: *e says why */
};
extern const struct command commands[];
extern const size_t n_commands;

#define COMMAND(name, fn, synopsis, help, min, max, options) int fn(const struct cmd_args *a, struct err *e);
#include "cmd/commands.def"
#undef COMMAND

/* Runs argv[1..]; returns the exit status.  Prints the error as "featlas COMMAND: message". */
int cmd_main(int argc, char **argv);

/* One JSON object on one line on stdout; j is taken. */
void cmd_print_json(json_t *j);
/* A line on stderr that shows a running job with its ETA, only on a terminal or every few
 * seconds; ^C cancels p.  Starts a thread; stop ends the line. */
struct cmd_progress;
struct cmd_progress *cmd_progress_start(struct progress *p);
void cmd_progress_stop(struct cmd_progress *c);
/* Opens the atlas that the first argument names, with --backend where the command takes it.
 * What people did is missing or read-only: a warning on stderr. */
struct session;
struct session *cmd_open(const struct cmd_args *a, struct err *e);
/* Text for a cell of output: on a terminal made safe for it, else valid UTF-8 in which tabs and
 * newlines are blanks. */
struct buf;
void cmd_add_text(struct buf *out, const char *s, size_t n);
void cmd_flush(struct buf *out); /* writes to stdout and empties */
/* A token as JSON members: `key` its text, and "bytes" in hex where they differ from it. */
void cmd_set_token(json_t *object, const char *key, const struct session *s, u32 token);
/* The members of a feature in a list: id, label (null if none), density, max. */
json_t *cmd_feature_json(struct session *s, u32 feature);
/* The same as a line: #id, label, density, max, separated by tabs. */
void cmd_add_feature(struct buf *out, struct session *s, u32 feature);
/* What an atlas in this folder is called unless it says otherwise: "demo" for "x/demo.atlas/".
 * Freed by the caller. */
char *cmd_atlas_name(const char *folder);
/* A number of three digits; "-" for NaN. */
void cmd_add_number(struct buf *out, f32 v);

/* Commands know no screens: main sets what `open` starts. */
extern int (*cmd_start_screens)(const struct cmd_args *a, struct err *e);

/* What check says of an atlas' weights, kept in the atlas; what is not sound is said on stderr. */
int cmd_check_weights(const char *atlas, struct err *e);

/* The exit status that goes with an error. */
int cmd_status(const struct err *e);

#endif
