# one view a file
src_featlas_SOURCES += \
src/view/actions.def \
src/view/app.c \
src/view/app.h \
src/view/app_draw.c \
src/view/app_edit.c \
src/view/app_go.c \
src/view/app_job.c \
src/view/app_keys.c \
src/view/app_private.h \
src/view/app_prompt.c \
src/view/app_search.c \
src/view/app_stack.c \
src/view/list_act.c \
src/view/list_act.h \
src/view/order.c \
src/view/order.h \
src/view/view.c \
src/view/view.h \
src/view/view_feature.c \
src/view/view_features.c \
src/view/view_graph.c \
src/view/view_graph.h \
src/view/view_graph_draw.c \
src/view/view_graph_export.c \
src/view/view_help.c \
src/view/view_messages.c \
src/view/view_palette.c \
src/view/view_steer.c \
src/view/view_steer.h \
src/view/view_steer_draw.c \
src/view/view_steer_past.c \
src/view/view_steer_run.c \
src/view/view_text.c \
src/view/view_text.h \
src/view/view_text_draw.c \
src/view/views.def
