src_featlas_SOURCES += \
src/cmd/cmd.c \
src/cmd/cmd.h \
src/cmd/cmd_info.c \
src/cmd/cmd_progress.c \
src/cmd/cmd_train.c \
src/cmd/cmd_verify.c \
src/cmd/commands.def \
src/cmd/options.def
