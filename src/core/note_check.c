/* SPDX-License-Identifier: MIT */
/* note_check.c - does labels.db hold together, and speak of this atlas's features alone? */
#include "core/note_file.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct faults {
	const char *path;
	void (*say)(void *, const char *);
	void *context;
};

/* Each row is a fault, but for the one that says ok. */
static void say_fault(void *context, const char *s, size_t len)
{
	struct faults *f = context;
	char *words = note_clean(s, len, true), *sentence = xasprintf("'%s': %s", f->path, *words ? words : "damaged");
	if (strcmp(words, "ok") != 0)
		f->say(f->context, sentence);
	free(sentence);
	free(words);
}

static int ask(struct note *n, const char *text, struct faults *f)
{
	struct err e = {0};
	if (!db_each(n->db, text, say_fault, f))
		return 0;
	note_fail(n, &e);
	f->say(f->context, e.msg);
	return -1;
}

/* A SELECT that gives a sentence for each value that makes no sense. */
static char *nonsense(u32 n_features)
{
	return xasprintf(
		"SELECT 'a value of feature ' || feature || ', which there is not' FROM value"
		" WHERE kind <> %d AND (feature < 0 OR feature >= %u) UNION ALL "
		"SELECT 'bookmark ' || name || ' is of no feature' FROM value"
		" WHERE kind = %d AND CAST(text AS INTEGER) NOT BETWEEN 0 AND %u UNION ALL "
		"SELECT 'a value of an unknown kind (' || kind || ')' FROM value WHERE kind NOT BETWEEN 0 AND %d UNION ALL "
		"SELECT 'feature ' || feature || ' has a quiz of an unknown method' FROM value"
		" WHERE kind = %d AND name NOT IN ('detection', 'fuzzing') UNION ALL "
		"SELECT 'feature ' || feature || ' has a rating that is not 1 to 5' FROM value"
		" WHERE kind = %d AND text NOT IN ('1', '2', '3', '4', '5') UNION ALL "
		"SELECT 'edit ' || seq || ' can be undone but is not in the log' FROM pile"
		" WHERE seq NOT IN (SELECT seq FROM log) LIMIT 20",
		NOTE_BOOKMARK, n_features, NOTE_BOOKMARK, n_features - 1, NOTE_KINDS - 1, NOTE_QUIZ, NOTE_RATING);
}

int note_verify(struct note *n, u32 n_features, void (*say)(void *, const char *), void *context)
{
	if (note_attach(n)) {
		if (n->broken)
			say(context, n->why);
		return n->broken ? -1 : 0;
	}
	struct faults f = {n->path, say, context};
	char *text = nonsense(n_features);
	int r = ask(n, "PRAGMA integrity_check(20)", &f) || ask(n, text, &f) ? -1 : 0;
	free(text);
	return r;
}
