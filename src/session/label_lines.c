/* SPDX-License-Identifier: MIT */
/* label_lines.c - labels as lines that others read. */
#include "session/label_lines.h"

#include "base/json.h"
#include "base/utf8.h"

static void add_text(struct buf *out, const struct label *l, bool safe)
{
	if (safe)
		utf8_add_safe(out, (const char *)l->text.p, l->text.n);
	else
		utf8_add_line(out, (const char *)l->text.p, l->text.n);
}

static void add_tsv(struct buf *out, const struct label *l, bool safe)
{
	buf_addf(out, "%u\t", l->feature);
	add_text(out, l, safe);
	buf_addc(out, '\n');
}

/* Quoted where it must be, quotes doubled. */
static void add_csv(struct buf *out, const struct label *l, bool safe)
{
	struct buf text = BUF_INIT;
	add_text(&text, l, safe);
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

static void add_jsonl(struct buf *out, const struct label *l, bool safe)
{
	json_t *j = json_object();
	(void)safe; /* escaped whole */
	json_object_set_new(j, "id", json_integer(l->feature));
	json_object_set_new(j, "label", json_text((const char *)l->text.p, l->text.n));
	json_object_set_new(j, "kind", json_string(label_kind_words[l->kind]));
	json_object_set_new(j, "source", json_text(l->source, strlen(l->source)));
	json_add_line(out, j);
	buf_addc(out, '\n');
	json_decref(j);
}

static const struct {
	const char *name;
	void (*add)(struct buf *out, const struct label *l, bool safe);
} forms[] = {[LABEL_TSV] = {"tsv", add_tsv}, [LABEL_CSV] = {"csv", add_csv}, [LABEL_JSONL] = {"jsonl", add_jsonl}};

int label_lines_find(const char *name, enum label_lines *form, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (!strcmp(forms[i].name, name)) {
			*form = (enum label_lines)i;
			return 0;
		}
	return err_set(e, ERR_USAGE, "--format is tsv, csv or jsonl, not '%s'", name);
}

void label_lines_add(struct buf *out, enum label_lines form, const struct label *l, bool safe)
{
	forms[form].add(out, l, safe);
}
