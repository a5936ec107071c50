src_libbackend_a_SOURCES += \
src/backend/attach.c \
src/backend/attach.h \
src/backend/backend.c \
src/backend/backend.h \
src/backend/client.h \
src/backend/methods.c \
src/backend/rpc.c \
src/backend/rpc.h \
src/backend/rpc_child.c \
src/backend/rpc_child.h \
src/backend/steer.c \
src/backend/steer.h \
src/backend/steer_best.c \
src/backend/steer_if.c \
src/backend/steer_impl.h \
src/backend/steer_make.c \
src/backend/steer_model.c \
src/backend/steer_spec.c
