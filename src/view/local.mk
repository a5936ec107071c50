# one view a file
src_featlas_SOURCES += \
src/view/actions.def \
src/view/app.h \
src/view/view.h
