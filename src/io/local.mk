src_libio_a_SOURCES += \
src/io/frame.c \
src/io/frame.h \
src/io/safetensors.c \
src/io/safetensors.h \
src/io/safetensors_writer.c \
src/io/tensors.h
