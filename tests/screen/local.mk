# Screens as text, by key scripts; see run.t.
TESTS += tests/screen/run.t
EXTRA_DIST += tests/screen/run.t \
	$(wildcard $(srcdir)/tests/screen/*.keys $(srcdir)/tests/screen/*.screen)
