src_libio_a_SOURCES += \
src/io/cache.c \
src/io/cache.h \
src/io/frame.c \
src/io/frame.h \
src/io/gzip.c \
src/io/gzip.h \
src/io/jstream.c \
src/io/jstream.h \
src/io/npy.c \
src/io/npy.h \
src/io/pickle.c \
src/io/pickle.h \
src/io/pickle_ops.c \
src/io/pickle_ops.h \
src/io/safetensors.c \
src/io/safetensors.h \
src/io/safetensors_writer.c \
src/io/tensors.c \
src/io/tensors.h \
src/io/tensors_impl.h \
src/io/tensors_shards.c \
src/io/tensors_torch.c \
src/io/tensors_zip.c \
src/io/torch_rebuild.c \
src/io/torch_rebuild.h \
src/io/zip.c \
src/io/zip.h
