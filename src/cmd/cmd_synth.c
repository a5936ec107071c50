/* SPDX-License-Identifier: MIT */
/* cmd_synth.c - synth OUT.atlas --features N: a made-up atlas, for tests and benchmarks. */
#include "cmd/cmd.h"

#include "base/mem.h"
#include "core/synth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { D_MODEL = 576 };

static int read_options(const struct cmd_args *a, struct synth_options *o, struct err *e)
{
	u64 features, d;
	o->labels_only = arg_flag(a, "labels-only");
	/* a dictionary there must be; of one dimension where only labels are wanted */
	if (!arg_flag(a, "features"))
		return err_set(e, ERR_USAGE, "--features N says how many features the atlas is to have");
	if (arg_u64(a, "features", 0, 1, UINT32_MAX - 1, &features, e) ||
	    arg_u64(a, "d-model", o->labels_only ? 1 : D_MODEL, 1, 1 << 16, &d, e) ||
	    arg_u64(a, "seed", 1, 0, UINT64_MAX, &o->seed, e))
		return -1;
	o->n_features = (u32)features;
	o->d = (u32)d;
	return 0;
}

static int make_folder(const char *folder, struct err *e)
{
	char *path = xasprintf("%s/atlas.json", folder);
	int bad = 0;
	if (!access(path, F_OK))
		bad = err_set(e, ERR_FAILED, "'%s' is there already; write into a folder of its own", path);
	else if (mkdir(folder, 0777) && errno != EEXIST)
		bad = err_os(e, "cannot make '%s'", folder);
	free(path);
	return bad;
}

int cmd_synth(const struct cmd_args *a, struct err *e)
{
	const char *folder = a->positional[0];
	struct synth_options o = {0};
	struct progress p = {0};
	if (read_options(a, &o, e) || make_folder(folder, e))
		return -1;
	struct pool *pool = pool_new(0);
	struct cmd_progress *shown = cmd_progress_start(&p);
	int bad = synth_write(folder, &o, pool, &p, e);
	cmd_progress_stop(shown);
	pool_free(pool);
	if (bad)
		return -1;
	if (arg_flag(a, "json"))
		cmd_print_json(json_pack("{s:I, s:I, s:I}", "n_features", (json_int_t)o.n_features, "d_model",
					 (json_int_t)o.d, "seed", (json_int_t)o.seed));
	else
		printf("%s  %u features of %u numbers, seed %llu\n", folder, o.n_features, o.d,
		       (unsigned long long)o.seed);
	return EXIT_OK;
}
