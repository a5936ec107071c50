src_libio_a_SOURCES += \
src/io/safetensors.c \
src/io/safetensors.h \
src/io/safetensors_writer.c
