/* SPDX-License-Identifier: MIT */
/* verify.c - the checks of an atlas: each file it names, then what the files hold. */
#include "core/verify.h"

#include "base/mem.h"
#include "core/atlas_impl.h"
#include "base/sha256.h"
#include "core/atlas.h"
#include "core/fingerprint.h"
#include "core/labels.h"
#include "core/vocab.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct atlas_check {
	struct verify v;
	const char *folder;
	const json_t *json;
	struct progress *progress;
	bool cancelled;
};

void verify_fault(struct verify *v, const char *fmt, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	buf_vaddf(&b, fmt, ap);
	va_end(ap);
	v->n_faults++;
	v->say(v->context, b.s);
	buf_release(&b);
}

static void check_sum(struct atlas_check *c, const char *path, const json_t *entry)
{
	const char *want = json_opt_str(entry, "sha256", NULL);
	char hex[65];
	struct err e = {0};
	if (!want) {
		verify_fault(&c->v, "atlas.json has no checksum for '%s'", path);
	} else if (sha256_file(path, hex, c->progress, &e)) {
		c->cancelled |= e.code == ERR_CANCELLED;
		if (!c->cancelled)
			verify_fault(&c->v, "%s", e.msg);
	} else if (strcmp(hex, want)) {
		verify_fault(&c->v, "'%s' has the checksum %.12s..., atlas.json says %.12s...", path, hex, want);
	}
}

/* The owned path of an entry's file if it is there, its size and checksum checked. */
static char *check_file(struct atlas_check *c, const char *part, const json_t *entry)
{
	const char *file = json_opt_str(entry, "file", NULL);
	if (!file || !atlas_is_inside(file)) {
		verify_fault(&c->v, "'%s/atlas.json' names no file inside the atlas for its %s", c->folder, part);
		return NULL;
	}
	char *path = xasprintf("%s/%s", c->folder, file);
	struct stat st;
	if (stat(path, &st)) {
		verify_fault(&c->v, "cannot open '%s': %s", path, strerror(errno));
		free(path);
		return NULL;
	}
	u64 want = json_opt_u64(entry, "bytes", UINT64_MAX);
	if ((u64)st.st_size != want && want != UINT64_MAX)
		verify_fault(&c->v, "'%s' is %llu bytes long, atlas.json says %llu", path,
			     (unsigned long long)st.st_size, (unsigned long long)want);
	else
		check_sum(c, path, entry);
	return path;
}

static struct safetensors *check_tensors(struct atlas_check *c, const char *part, const json_t *entry)
{
	if (!entry || c->cancelled)
		return NULL;
	char *path = check_file(c, part, entry);
	struct err e = {0};
	struct safetensors *s = path && !c->cancelled ? safetensors_open(path, &e) : NULL;
	if (path && !c->cancelled && (!s || atlas_check_file(c->json, entry, s, &e)))
		verify_fault(&c->v, "%s", e.msg);
	free(path);
	return s;
}

static const json_t *entry_of(const struct atlas_check *c, const char *part)
{
	return json_object_get(json_object_get(c->json, "parts"), part);
}

/* A dictionary that lies elsewhere: it opens and is the one that was named. */
static void check_link(struct atlas_check *c, const json_t *entry)
{
	struct err e = {0};
	struct dict *d = atlas_open_link(entry, c->folder, &e);
	if (d)
		c->v.n_features = dict_info(d)->n_features;
	else
		verify_fault(&c->v, "%s", e.msg);
	dict_free(d);
}

static void check_dictionary(struct atlas_check *c)
{
	const json_t *entry = entry_of(c, "dictionary"), *cfg = json_object_get(entry, "cfg");
	if (!entry) {
		verify_fault(&c->v, "'%s/atlas.json' names no dictionary", c->folder);
		return;
	}
	if (json_object_get(entry, "at")) {
		check_link(c, entry);
		return;
	}
	struct safetensors *s = check_tensors(c, "dictionary", entry);
	if (cfg)
		free(check_file(c, "dictionary's cfg", cfg));
	if (!s)
		return;
	char *folder = xstrdup(safetensors_path(s));
	*strrchr(folder, '/') = 0;
	struct err e = {0};
	struct dict *d = dict_open(folder, &e);
	if (d)
		c->v.n_features = dict_info(d)->n_features;
	else
		verify_fault(&c->v, "%s", e.msg);
	dict_free(d);
	free(folder);
	verify_dictionary(&c->v, s);
	safetensors_free(s);
}

/* vocab and labels have their own readers, which check the shapes. */
static void check_texts(struct atlas_check *c)
{
	struct err e = {0};
	struct safetensors *s = check_tensors(c, "vocab", entry_of(c, "vocab"));
	if (s) {
		struct vocab *vocab = vocab_open(safetensors_path(s), &e);
		if (vocab) {
			c->v.n_vocab = vocab_count(vocab);
			verify_vocab(&c->v, s);
		} else {
			verify_fault(&c->v, "%s", e.msg);
		}
		vocab_free(vocab);
		safetensors_free(s);
	}
	if ((s = check_tensors(c, "labels", entry_of(c, "labels")))) {
		struct labels *labels = labels_open(safetensors_path(s), c->v.n_features, &e);
		if (labels)
			verify_labels(&c->v, s);
		else
			verify_fault(&c->v, "%s", e.msg);
		labels_free(labels);
		safetensors_free(s);
	}
}

static void check_store(struct atlas_check *c)
{
	const json_t *list = json_object_get(entry_of(c, "store"), "segments");
	size_t n = json_array_size(list), have = 0;
	struct safetensors **files = xcalloc(n + 1, sizeof *files);
	const char **paths = xcalloc(n + 1, sizeof *paths);
	for (size_t i = 0; i < n; i++) {
		files[have] = check_tensors(c, "store", json_array_get(list, i));
		if (files[have])
			paths[have] = safetensors_path(files[have]), have++;
	}
	struct err e = {0};
	struct store *st = NULL;
	if (n && have == n && c->v.n_features && !c->cancelled) {
		if (!(st = store_open(paths, n, c->v.n_features, &e)))
			verify_fault(&c->v, "%s", e.msg);
		u64 faults = c->v.n_faults;
		for (size_t i = 0; st && i < n; i++)
			verify_segment(&c->v, files[i]);
		if (st && faults == c->v.n_faults)
			verify_contexts(&c->v, st);
	}
	store_free(st);
	for (size_t i = 0; i < have; i++)
		safetensors_free(files[i]);
	free(files);
	free(paths);
}

static void check_tables(struct atlas_check *c)
{
	static const struct {
		const char *part;
		void (*check)(struct verify *v, const struct safetensors *s);
	} tables[] = {{"logits", verify_logits}, {"graph", verify_graph}, {"scores", verify_scores},
		    {"map", verify_map}, {"evidence", verify_judged}};
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		struct safetensors *s = check_tensors(c, tables[i].part, entry_of(c, tables[i].part));
		if (s && c->v.n_features)
			tables[i].check(&c->v, s);
		safetensors_free(s);
	}
}

static void check_runs(struct atlas_check *c)
{
	const json_t *entry = entry_of(c, "runs");
	char *path = entry && !c->cancelled ? check_file(c, "runs", entry) : NULL;
	FILE *f = path ? fopen(path, "re") : NULL;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	for (u64 number = 1; f && (n = getline(&line, &cap, f)) > 0; number++) {
		char *what = xasprintf("line %llu of '%s'", (unsigned long long)number, path);
		struct err e = {0};
		json_t *j = json_parse(line, (size_t)n, what, &e);
		if (!j)
			verify_fault(&c->v, "%s", e.msg);
		json_decref(j);
		free(what);
		if (!j)
			break;
	}
	free(line);
	if (f)
		fclose(f);
	free(path);
}

/* The bytes of every file that atlas.json names. */
static u64 total_bytes(const json_t *j)
{
	u64 sum = json_opt_u64(j, "bytes", 0);
	const char *key;
	json_t *v;
	size_t i;
	json_object_foreach((json_t *)(uintptr_t)j, key, v)
		sum += json_is_object(v) || json_is_array(v) ? total_bytes(v) : 0;
	json_array_foreach(j, i, v)
		sum += total_bytes(v);
	return sum;
}

static void check_fingerprint(struct atlas_check *c)
{
	struct fingerprint f;
	struct err e = {0};
	const json_t *j = json_object_get(c->json, "fingerprint");
	if (j && fingerprint_read(j, &f, &e))
		verify_fault(&c->v, "'%s': %s", c->folder, e.msg);
}

int atlas_verify(const char *folder, struct progress *p, void (*say)(void *, const char *), void *context,
		 u64 *n_faults, struct err *e)
{
	struct err why = {0};
	struct atlas_check c = {.v = {say, context, 0, 0, UINT32_MAX}, .folder = folder, .progress = p};
	*n_faults = 0;
	json_t *json = atlas_json_read(folder, &why);
	if (!json && why.code != ERR_DAMAGED)
		return err_set(e, why.code, "cannot open the atlas '%s': %s", folder, why.msg);
	if (json) {
		c.json = json;
		progress_start(p, "checking", "bytes", total_bytes(json_object_get(json, "parts")));
		check_dictionary(&c);
		check_texts(&c);
		check_store(&c);
		check_tables(&c);
		check_runs(&c);
		check_fingerprint(&c);
	} else {
		verify_fault(&c.v, "%s", why.msg);
	}
	json_decref(json);
	*n_faults = c.v.n_faults;
	return c.cancelled ? err_set(e, ERR_CANCELLED, "interrupted") : 0;
}
