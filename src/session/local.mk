src_libsession_a_SOURCES += \
src/session/curve.c \
src/session/curve.h \
src/session/dose.c \
src/session/dose.h \
src/session/dose_json.c \
src/session/eval.c \
src/session/eval.h \
src/session/judge.c \
src/session/judge.h \
src/session/parts.c \
src/session/parts.h \
src/session/parts_labels.c \
src/session/reading.c \
src/session/reading.h \
src/session/scores.c \
src/session/scores.h \
src/session/session.c \
src/session/session.h \
src/session/sweep.c \
src/session/sweep.h \
src/session/sweep_parse.c \
src/session/sweep_run.c
