src_libsession_a_SOURCES += \
src/session/effects.c \
src/session/effects.h \
src/session/eval.c \
src/session/eval.h \
src/session/lens.c \
src/session/lens.h \
src/session/next.c \
src/session/next.h \
src/session/parts.c \
src/session/parts.h \
src/session/parts_labels.c \
src/session/reading.c \
src/session/reading.h \
src/session/scores.c \
src/session/scores.h \
src/session/session.c \
src/session/session.h
