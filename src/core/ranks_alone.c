/* SPDX-License-Identifier: MIT */
/* ranks_alone.c - a world of one process, for a program without MPI. */
#include "core/ranks.h"

bool ranks_has_mpi(void)
{
	return false;
}

int ranks_start(int *argc, char ***argv, struct err *e)
{
	(void)argc;
	(void)argv;
	(void)e;
	return 0;
}

unsigned ranks_n(void)
{
	return 1;
}

unsigned ranks_me(void)
{
	return 0;
}

int ranks_send(const void *p, size_t n, struct err *e)
{
	(void)p;
	(void)n;
	return err_set(e, ERR_FAILED, "there is no other process");
}

int ranks_receive(unsigned from, struct buf *out, struct err *e)
{
	(void)out;
	return err_set(e, ERR_FAILED, "there is no process %u", from);
}

void ranks_finish(int status)
{
	(void)status;
}
