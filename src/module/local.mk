# backend modules: programs of their own
# fake_world.{h,c}: shared by the fake module, tools/mksample and tests, which list it themselves
EXTRA_DIST += src/module/fake_world.h src/module/fake_world.c

noinst_LIBRARIES += src/libmodule.a
src_libmodule_a_SOURCES = \
src/module/call_runs.c \
src/module/calls.c \
src/module/calls.h \
src/module/module.h \
src/module/module_main.c \
src/module/server.h
MODULE_LIBS = src/libmodule.a $(CORE_LIBS)

featlaslibexec_PROGRAMS += src/featlas-fake
src_featlas_fake_SOURCES = src/module/fake_world.c src/module/fake_world.h src/module/module_fake.c
src_featlas_fake_LDADD = $(MODULE_LIBS)
