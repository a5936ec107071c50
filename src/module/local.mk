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
src/module/server.h \
src/module/update.c
MODULE_LIBS = src/libmodule.a $(CORE_LIBS)

featlaslibexec_PROGRAMS += src/featlas-fake
src_featlas_fake_SOURCES = src/module/fake_world.c src/module/fake_world.h src/module/module_fake.c
src_featlas_fake_LDADD = $(MODULE_LIBS)

# featlas-llama: libllama behind lm.h in module_llama.c; the engine above it knows none of it
noinst_LIBRARIES += src/libengine.a
src_libengine_a_SOURCES = \
src/module/engine.c \
src/module/engine.h \
src/module/engine_generate.c \
src/module/engine_score.c \
src/module/engine_text.c \
src/module/lm.h \
src/module/logprob.c \
src/module/logprob.h \
src/module/model_file.c \
src/module/model_file.h \
src/module/sampler.c \
src/module/sampler.h \
src/module/template.c \
src/module/template.h
ENGINE_LIBS = src/libengine.a $(CORE_LIBS)

if HAVE_LLAMA
featlaslibexec_PROGRAMS += src/featlas-llama
src_featlas_llama_SOURCES = src/module/featlas_llama.c src/module/module_llama.c
src_featlas_llama_CPPFLAGS = $(AM_CPPFLAGS) $(LLAMA_CFLAGS)
src_featlas_llama_LDADD = src/libengine.a $(MODULE_LIBS) $(LLAMA_LIBS)
endif
EXTRA_DIST += src/module/featlas_llama.c src/module/module_llama.c
