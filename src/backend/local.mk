src_libbackend_a_SOURCES += \
src/backend/backend.h
