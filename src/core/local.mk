src_libcore_a_SOURCES += \
src/core/acts.c \
src/core/acts.h \
src/core/acts_write.c \
src/core/atlas.h \
src/core/dict.h \
src/core/graph.c \
src/core/graph.h \
src/core/hook.c \
src/core/hook.h \
src/core/labels.c \
src/core/labels.h \
src/core/layout.c \
src/core/layout.h \
src/core/layout_walk.c \
src/core/note.c \
src/core/note.h \
src/core/run.c \
src/core/run.h \
src/core/search.h \
src/core/store.c \
src/core/store.h \
src/core/vocab.c \
src/core/vocab.h
