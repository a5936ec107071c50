src_featlas_SOURCES += \
src/cmd/cmd.c \
src/cmd/cmd.h \
src/cmd/cmd_encode.c \
src/cmd/cmd_eval.c \
src/cmd/cmd_export.c \
src/cmd/cmd_harvest.c \
src/cmd/cmd_index.c \
src/cmd/cmd_info.c \
src/cmd/cmd_label.c \
src/cmd/cmd_open.c \
src/cmd/cmd_progress.c \
src/cmd/cmd_prune.c \
src/cmd/cmd_screens.c \
src/cmd/cmd_search.c \
src/cmd/cmd_show.c \
src/cmd/cmd_show_json.c \
src/cmd/cmd_steer.c \
src/cmd/cmd_text.c \
src/cmd/cmd_train.c \
src/cmd/cmd_undo.c \
src/cmd/cmd_verify.c \
src/cmd/commands.def \
src/cmd/corpus.c \
src/cmd/corpus.h \
src/cmd/options.def \
src/cmd/show.h
