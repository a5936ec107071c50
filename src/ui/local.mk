# the toolkit: cells, terminal, keys, lists, prompts
src_libui_a_SOURCES += \
src/ui/cell.h \
src/ui/key.h \
src/ui/style.h \
src/ui/styles.def
