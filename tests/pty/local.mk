# The program on a pseudo-terminal, its screen read through libvterm.
if HAVE_CMOCKA
if HAVE_VTERM
check_PROGRAMS += tests/pty/test_pty
TESTS += tests/pty/test_pty
tests_pty_test_pty_SOURCES = tests/pty/pty.c tests/pty/pty.h tests/pty/test_pty.c
tests_pty_test_pty_CPPFLAGS = $(AM_CPPFLAGS) $(VTERM_CFLAGS)
tests_pty_test_pty_LDADD = $(VTERM_LIBS) $(CMOCKA_LIBS) -lutil
endif
endif
