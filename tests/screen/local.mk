# Screens as text, by key scripts; see run.t.
TESTS += tests/screen/run.t tests/screen/random.t
EXTRA_DIST += tests/screen/run.t tests/screen/random.t \
	$(wildcard $(srcdir)/tests/screen/*.keys $(srcdir)/tests/screen/*.screen)
