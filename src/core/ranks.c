/* SPDX-License-Identifier: MIT */
/* ranks.c - the processes that mpirun started; MPI is used only here. */
#include "core/ranks.h"

#include "base/types.h"

#include <mpi.h>

enum { TAG = 1 };
/* MPI counts in int: longer messages go in pieces of this many bytes. */
static const u64 piece = 1u << 30;

static int n_ranks = 1, me;

static int check(int rc, const char *what, struct err *e)
{
	char why[MPI_MAX_ERROR_STRING] = "";
	int n = 0;
	if (rc == MPI_SUCCESS)
		return 0;
	MPI_Error_string(rc, why, &n);
	return err_set(e, ERR_FAILED, "%s: %.*s", what, n, why);
}

bool ranks_has_mpi(void)
{
	return true;
}

int ranks_start(int *argc, char ***argv, struct err *e)
{
	int given;
	if (check(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &given), "MPI does not start", e))
		return -1;
	MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
	MPI_Comm_size(MPI_COMM_WORLD, &n_ranks);
	MPI_Comm_rank(MPI_COMM_WORLD, &me);
	return 0;
}

unsigned ranks_n(void)
{
	return (unsigned)n_ranks;
}

unsigned ranks_me(void)
{
	return (unsigned)me;
}

int ranks_send(const void *p, size_t n, struct err *e)
{
	static const char what[] = "cannot send to rank 0";
	u64 size = n;
	if (check(MPI_Send(&size, 1, MPI_UINT64_T, 0, TAG, MPI_COMM_WORLD), what, e))
		return -1;
	for (u64 at = 0; at < size; at += piece) {
		int now = (int)MIN(piece, size - at);
		if (check(MPI_Send((const char *)p + at, now, MPI_BYTE, 0, TAG, MPI_COMM_WORLD), what, e))
			return -1;
	}
	return 0;
}

int ranks_receive(unsigned from, struct buf *out, struct err *e)
{
	static const char what[] = "cannot receive from a rank";
	u64 size;
	if (check(MPI_Recv(&size, 1, MPI_UINT64_T, (int)from, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE), what, e))
		return -1;
	buf_clear(out);
	buf_reserve(out, (size_t)size);
	for (u64 at = 0; at < size; at += piece) {
		int now = (int)MIN(piece, size - at);
		if (check(MPI_Recv(out->s + at, now, MPI_BYTE, (int)from, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE), what,
			  e))
			return -1;
	}
	out->n = (size_t)size;
	return 0;
}

void ranks_finish(int status)
{
	if (status && n_ranks > 1)
		MPI_Abort(MPI_COMM_WORLD, status);
	MPI_Finalize();
}
