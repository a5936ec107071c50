# Screens as text, by key scripts; see run.t and matrix.t.
TESTS += tests/screen/run.t tests/screen/matrix.t tests/screen/help.t tests/screen/atlases.t tests/screen/random.t tests/screen/words.t
EXTRA_DIST += tests/screen/run.t tests/screen/matrix.t tests/screen/help.t tests/screen/atlases.t tests/screen/random.t tests/screen/words.t tests/screen/matrix/list \
	$(wildcard $(srcdir)/tests/screen/*.keys $(srcdir)/tests/screen/*.screen $(srcdir)/tests/screen/matrix/*.screen)
