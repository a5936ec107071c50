# manual pages; featlas.1 and the completion are made from the program's own tables
noinst_PROGRAMS += tools/docgen
tools_docgen_LDADD = $(CORE_LIBS)
man_MANS = man/featlas.1 man/featlas-config.5
dist_man_MANS += man/featlas-atlas.5 man/featlas-backend.7 man/featlas-formats.7
bashcompletiondir = $(datadir)/bash-completion/completions
bashcompletion_DATA = share/completion/featlas
zshcompletiondir = $(datadir)/zsh/site-functions
zshcompletion_DATA = share/completion/_featlas
EXTRA_DIST += man/featlas.1.in man/featlas-config.5.in
CLEANFILES += man/featlas.1 man/featlas-config.5 share/completion/featlas share/completion/_featlas

man/featlas.1: man/featlas.1.in tools/docgen$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) man && tools/docgen$(EXEEXT) man $(srcdir)/man/featlas.1.in >$@.tmp && mv $@.tmp $@
man/featlas-config.5: man/featlas-config.5.in tools/docgen$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) man && tools/docgen$(EXEEXT) man $(srcdir)/man/featlas-config.5.in >$@.tmp && mv $@.tmp $@
share/completion/featlas: tools/docgen$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) share/completion && tools/docgen$(EXEEXT) bash >$@.tmp && mv $@.tmp $@
share/completion/_featlas: tools/docgen$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) share/completion && tools/docgen$(EXEEXT) zsh >$@.tmp && mv $@.tmp $@
