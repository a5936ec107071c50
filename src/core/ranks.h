/* SPDX-License-Identifier: MIT */
/* ranks.h - the processes of one command, here or on several machines.
 *
 * `mpirun -n N featlas index ...` starts N processes; rank 0 is the one that talks and writes, the others
 * compute for it.  The program featlas has a world of one (ranks_alone.c) and starts no MPI; started by
 * mpirun, it becomes featlas-mpi, which is the same program with the MPI of ranks.c.  What is computed
 * is cut into the same pieces for any number of ranks, so that files do not depend on it.
 *
 * Messages go from a rank to rank 0 and arrive in order.  One thread of each process calls these.
 */
#ifndef FEATLAS_RANKS_H
#define FEATLAS_RANKS_H

#include "base/buf.h"
#include "base/err.h"

bool ranks_has_mpi(void); /* whether this program could be one of several */
/* Once, before anything else; -1 where MPI does not start. */
int ranks_start(int *argc, char ***argv, struct err *e);
unsigned ranks_n(void);  /* 1 without MPI */
unsigned ranks_me(void); /* 0 .. ranks_n() - 1 */
/* To rank 0: returns when p may be used again. */
int ranks_send(const void *p, size_t n, struct err *e);
/* On rank 0: the next message of a rank, in place of what out held. */
int ranks_receive(unsigned from, struct buf *out, struct err *e);
/* The end of a process.  One that failed ends all others too, so that none waits for it for ever. */
void ranks_finish(int status);

#endif
