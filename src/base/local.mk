src_libbase_a_SOURCES += \
src/base/buf.c \
src/base/buf.h \
src/base/err.c \
src/base/err.h \
src/base/half.h \
src/base/json.c \
src/base/json.h \
src/base/mapfile.c \
src/base/mapfile.h \
src/base/mem.c \
src/base/mem.h \
src/base/outfile.c \
src/base/outfile.h \
src/base/pool.c \
src/base/pool.h \
src/base/progress.h \
src/base/sha256.c \
src/base/sha256.h \
src/base/shell.c \
src/base/shell.h \
src/base/types.h \
src/base/utf8.c \
src/base/utf8.h \
src/base/wordlist.c \
src/base/wordlist.h \
src/base/xdg.c \
src/base/xdg.h
