# One library a layer: a file that includes upwards fails to link in its layer's unit tests.
noinst_LIBRARIES += src/libbase.a src/libio.a src/libcore.a src/libbackend.a src/libsession.a src/libui.a

src_libbase_a_SOURCES =
src_libio_a_SOURCES =
src_libcore_a_SOURCES =
src_libbackend_a_SOURCES =
src_libsession_a_SOURCES =
src_libui_a_SOURCES =
src_featlas_SOURCES = src/main.c

include src/base/local.mk
include src/io/local.mk
include src/core/local.mk
include src/backend/local.mk
include src/module/local.mk
include src/session/local.mk
include src/ui/local.mk
include src/view/local.mk
include src/cmd/local.mk

bin_PROGRAMS += src/featlas
src_featlas_LDADD = $(SESSION_LIBS) $(UI_LIBS)

# the same program with MPI in it, which mpirun's processes become
if HAVE_MPI
featlaslibexec_PROGRAMS += src/featlas-mpi
src_featlas_mpi_SOURCES = $(src_featlas_SOURCES) src/core/ranks.c
src_featlas_mpi_CPPFLAGS = $(AM_CPPFLAGS) $(MPI_CFLAGS)
src_featlas_mpi_LDADD = $(src_featlas_LDADD) $(MPI_LIBS)
endif
EXTRA_DIST += src/core/ranks.c
