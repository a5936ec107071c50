src_libio_a_SOURCES += \
src/io/safetensors.h
