# what is installed below $(pkgdatadir): the demo atlas (without what was noted in it) and its tours
demosdir = $(pkgdatadir)/demos
dist_demos_DATA = $(wildcard $(srcdir)/share/featlas/demos/*.keys)
demoatlasdir = $(pkgdatadir)/demo.atlas
dist_demoatlas_DATA = $(filter-out %.db %.db-wal %.db-shm,$(wildcard $(srcdir)/share/featlas/demo.atlas/*.*))
conceptsdir = $(pkgdatadir)/concepts
dist_concepts_DATA = $(wildcard $(srcdir)/share/featlas/concepts/*.jsonl) $(wildcard $(srcdir)/share/featlas/concepts/*.tsv)
convertdir = $(pkgdatadir)/convert
dist_convert_SCRIPTS = share/featlas/convert/saelens-activations.py
