/* SPDX-License-Identifier: MIT */
/* main.c - a command, or the terminal program. */
#include "cmd/cmd.h"
#include "core/ranks.h"
#include "ui/script.h"
#include "view/app.h"

#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char demo[] = PKGDATADIR "/demo.atlas";

static bool is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int start_screens(const struct cmd_args *a, struct err *e)
{
	const char *atlas = a->n_positional ? a->positional[0] : demo;
	struct app_options o = {.atlas = atlas,
				.other = a->n_positional > 1 ? a->positional[1] : NULL,
				.backend = arg_str(a, "backend", NULL),
				.script = arg_str(a, "script", NULL),
				.theme = arg_str(a, "theme", NULL),
				.ascii = arg_flag(a, "ascii"),
				.config = arg_str(a, "config", NULL),
				.resume = arg_flag(a, "resume"),
				.tour = arg_flag(a, "tour"),
				.record = arg_str(a, "record", NULL)};
	if (cmd_dict_options(a, &o.dict, e))
		return -1;
	const char *size = arg_str(a, "size", NULL);
	if (size && script_parse_size(size, &o.w, &o.h))
		return err_set(e, ERR_USAGE, "--size wants COLSxROWS, not '%s'", size);
	if (!a->n_positional && !is_folder(demo))
		return err_set(e, ERR_USAGE, "which atlas? usage: featlas ATLAS");
	return app_run(&o, e) ? -1 : EXIT_OK;
}

static bool is_command(const char *word)
{
	for (size_t i = 0; i < n_commands; i++)
		if (!strcmp(commands[i].name, word))
			return true;
	return false;
}

/* `featlas X.atlas`, `featlas --script F X.atlas` and, with a demo installed, `featlas` mean open. */
static bool means_open(int argc, char **argv)
{
	static const char *const own[] = {"--help", "-h", "--version", "-V"};
	if (argc < 2)
		return isatty(STDOUT_FILENO) && is_folder(demo);
	if (argv[1][0] != '-')
		return !is_command(argv[1]) &&
		       (strchr(argv[1], '/') || is_folder(argv[1]) || strstr(argv[1], ".atlas"));
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (!strcmp(argv[1], own[i]))
			return false;
	return true;
}

/* A closed standard descriptor would go to the next file that is opened, and what is printed
 * into that file.  Opened the wrong way round, reading and printing still fail. */
static void keep_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			_exit(EXIT_ERROR);
}

/* How many processes mpirun started, 1 if it did not. */
static long n_started(void)
{
	static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *n = getenv(names[i]);
		if (n)
			return strtol(n, NULL, 10);
	}
	return 1;
}

/* One of several: this program goes on as the one that has MPI, which costs every start some time. */
static int become_mpi(char **argv, long n)
{
	char own[PATH_MAX], path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);
	own[MAX(len, (ssize_t)0)] = 0;
	char *slash = strrchr(own, '/');
	if (slash)
		*slash = 0;
	const char *folders[] = {getenv("FEATLAS_BACKEND_DIR"), PKGLIBEXECDIR, own};
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (folders[i] && snprintf(path, sizeof path, "%s/featlas-mpi", folders[i]) < (int)sizeof path)
			execv(path, argv);
	fprintf(stderr,
		"featlas: this is one of %ld processes, and there is no featlas-mpi: featlas was built without MPI, so "
		"each of them would do all of the work\n",
		n);
	return EXIT_ERROR;
}

/* The commands that know ranks. */
static bool is_shared_out(const char *command)
{
	return !strcmp(command, "index") || !strcmp(command, "neighbours");
}

static int run_as_rank(int argc, char **argv)
{
	struct err e = {0};
	if (ranks_start(&argc, &argv, &e)) {
		fprintf(stderr, "featlas: %s\n", e.msg);
		return EXIT_ERROR;
	}
	int status = EXIT_ERROR;
	if (argc > 1 && is_shared_out(argv[1]))
		status = cmd_main(argc, argv);
	else if (!ranks_me())
		fputs("featlas: several processes share the work of index and neighbours only\n", stderr);
	ranks_finish(status);
	return status;
}

int main(int argc, char **argv)
{
	static char word[] = "open";
	keep_standard_descriptors();
	setlocale(LC_CTYPE, "");
	/* a file that may grow no further is an error to be told, not the end */
	signal(SIGXFSZ, SIG_IGN);
	cmd_start_screens = start_screens;
	long n = n_started();
	if (ranks_has_mpi())
		return run_as_rank(argc, argv);
	if (n > 1)
		return become_mpi(argv, n);
	if (!means_open(argc, argv))
		return cmd_main(argc, argv);
	char **with = calloc((size_t)argc + 2, sizeof *with);
	if (!with)
		return EXIT_ERROR;
	with[0] = argv[0];
	with[1] = word;
	for (int i = 1; i < argc; i++)
		with[i + 1] = argv[i];
	int status = cmd_main(argc + 1, with);
	free(with);
	return status;
}
