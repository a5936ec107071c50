/* SPDX-License-Identifier: MIT */
/* cmd_export.c - the labels of an atlas as TSV, CSV or JSON lines. */
#include "base/buf.h"
#include "cmd/cmd.h"
#include "session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {
	[LABEL_LEXICAL] = "lexical", [LABEL_MACHINE] = "machine", [LABEL_PERSON] = "person"};

static void add_tsv(struct buf *out, const struct label *l)
{
	buf_addf(out, "%u\t", l->feature);
	cmd_add_text(out, (const char *)l->text.p, l->text.n);
	buf_addc(out, '\n');
}

/* RFC 4180: quoted where it must be, quotes doubled. */
static void add_csv(struct buf *out, const struct label *l)
{
	struct buf text = BUF_INIT;
	cmd_add_text(&text, (const char *)l->text.p, l->text.n);
	bool quoted = strpbrk(text.s, ",\"") || (text.n && (text.s[0] == ' ' || text.s[text.n - 1] == ' '));
	buf_addf(out, "%u,%s", l->feature, quoted ? "\"" : "");
	for (size_t i = 0; i < text.n; i++) {
		if (text.s[i] == '"')
			buf_addc(out, '"');
		buf_addc(out, text.s[i]);
	}
	buf_adds(out, quoted ? "\"\n" : "\n");
	buf_release(&text);
}

static void add_jsonl(struct buf *out, const struct label *l)
{
	json_t *j = json_object();
	json_object_set_new(j, "id", json_integer(l->feature));
	json_object_set_new(j, "label", json_text((const char *)l->text.p, l->text.n));
	json_object_set_new(j, "kind", json_string(kinds[l->kind]));
	json_object_set_new(j, "source", json_text(l->source, strlen(l->source)));
	json_add_line(out, j);
	buf_addc(out, '\n');
	json_decref(j);
}

static const struct format {
	const char *name;
	void (*add)(struct buf *out, const struct label *l);
} formats[] = {{"tsv", add_tsv}, {"csv", add_csv}, {"jsonl", add_jsonl}};

static const struct format *find_format(const char *name, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (!strcmp(formats[i].name, name))
			return &formats[i];
	err_set(e, ERR_USAGE, "--format is tsv, csv or jsonl, not '%s'", name);
	return NULL;
}

int cmd_export(const struct cmd_args *a, struct err *e)
{
	const char *name = arg_str(a, "format", arg_flag(a, "json") ? "jsonl" : "tsv"), *kind = arg_str(a, "kind", NULL);
	const struct format *format = find_format(name, e);
	if (!format)
		return -1;
	if (strcmp(a->positional[1], "labels"))
		return err_set(e, ERR_USAGE, "what can be exported is labels, not '%s'", a->positional[1]);
	if (kind && strcmp(kind, "person") && strcmp(kind, "machine") && strcmp(kind, "lexical"))
		return err_set(e, ERR_USAGE, "--kind is person, machine or lexical, not '%s'", kind);
	struct session *s = cmd_open(a, e);
	if (!s)
		return -1;
	struct buf out = BUF_INIT;
	bool any = false;
	for (u32 f = 0; f < s->atlas->n_features; f++) {
		struct label l;
		if (!session_label(s, f, &l) || (kind && strcmp(kind, kinds[l.kind])))
			continue;
		any = true;
		l.feature = f;
		format->add(&out, &l);
		if (out.n > 1 << 16)
			cmd_flush(&out);
	}
	cmd_flush(&out);
	buf_release(&out);
	session_free(s);
	if (!any)
		fputs("featlas export: no feature has such a label\n", stderr);
	return any ? EXIT_OK : EXIT_NONE;
}
