src_libsession_a_SOURCES += \
src/session/agree.c \
src/session/agree.h \
src/session/concepts.c \
src/session/concepts.h \
src/session/eval.c \
src/session/eval.h \
src/session/judge.c \
src/session/judge.h \
src/session/parts.c \
src/session/parts.h \
src/session/parts_labels.c \
src/session/parts_scores.c \
src/session/reading.c \
src/session/reading.h \
src/session/scores.c \
src/session/scores.h \
src/session/session.c \
src/session/session.h \
src/session/suite.c \
src/session/suite.h \
src/session/suite_rows.c \
src/session/suite_rows.h \
src/session/sweep.c \
src/session/sweep.h \
src/session/sweep_run.c
