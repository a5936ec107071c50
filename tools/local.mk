# Programs that made what ships; built with the rest, not installed.
noinst_PROGRAMS += tools/demo/docs2acts tools/demo/steer_eval
tools_demo_docs2acts_LDADD = $(CORE_LIBS)
tools_demo_steer_eval_LDADD = $(SESSION_LIBS)
EXTRA_DIST += $(wildcard $(srcdir)/tools/demo/*.json $(srcdir)/tools/demo/*.jsonl $(srcdir)/tools/demo/*.tsv $(srcdir)/tools/demo/*.py) \
	tools/demo/make-demo tools/demo/make-prompts tools/demo/doses tools/demo/sample.c tools/demo/study \
	tools/demo/tokens.docs tools/map_quality.py tools/pictures tools/retell tools/screens.list
