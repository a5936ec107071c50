# the toolkit: cells, terminal, keys, lists, prompts
src_libui_a_SOURCES += \
src/ui/cell.c \
src/ui/cell.h \
src/ui/cell_dump.c \
src/ui/conf.c \
src/ui/conf.h \
src/ui/key.c \
src/ui/key.h \
src/ui/list.c \
src/ui/list.h \
src/ui/plot.c \
src/ui/plot.h \
src/ui/prompt.c \
src/ui/prompt.h \
src/ui/script.c \
src/ui/script.h \
src/ui/style.c \
src/ui/style.h \
src/ui/styles.def \
src/ui/term.c \
src/ui/term.h \
src/ui/words.c \
src/ui/words.h
