src_libsession_a_SOURCES += \
src/session/session.h
