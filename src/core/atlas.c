/* SPDX-License-Identifier: MIT */
/* atlas.c - opening an atlas: atlas.json first, then each part it names. */
#include "core/atlas.h"

#include "base/mem.h"
#include "base/shell.h"
#include "core/atlas_impl.h"
#include "core/judged.h"
#include "core/labels.h"
#include "core/map.h"
#include "core/vocab.h"
#include "io/safetensors.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DICTIONARY, STORE, VOCAB, LABELS, LOGITS, GRAPH, SCORES, MAP, RUNS, EVIDENCE };

const char *const atlas_parts[ATLAS_N_PARTS] = {
	[DICTIONARY] = "dictionary", [STORE] = "store", [VOCAB] = "vocab",   [LABELS] = "labels",
	[LOGITS] = "logits",         [GRAPH] = "graph", [SCORES] = "scores",
	[MAP] = "map",               [RUNS] = "runs",   [EVIDENCE] = "evidence",
};

/* What is missing and the command that makes it: the folder stands between before and after. */
static const struct {
	const char *before, *after;
} remedies[ATLAS_N_PARTS] = {
	[DICTIONARY] = {"no dictionary; make one with 'featlas train OUT.acts ", " --features F --k K'"},
	[STORE] = {"no activation store; make it with 'featlas index ", " OUT.acts'"},
	[VOCAB] = {"no token texts; make them with 'featlas index ", " OUT.acts --backend B'"},
	[LABELS] = {"no labels; make lexical ones with 'featlas index ", " OUT.acts --backend B'"},
	[LOGITS] = {"no promoted tokens; make them with 'featlas index ", " OUT.acts --backend B'"},
	[GRAPH] = {"no neighbour graph; make it with 'featlas neighbours ", "'"},
	[SCORES] = {"no scores; make them with 'featlas index ", " OUT.acts --backend B'"},
	[MAP] = {"no map; make it with 'featlas map ", "'"},
	[EVIDENCE] = {"no judged labels; judge them with 'featlas judge ", " --method lexical'"},
	[RUNS] = {"no recorded steering runs; make one with 'featlas steer ", " --prompt P --feature ID:2x'"},
};

bool atlas_is_inside(const char *file)
{
	if (!*file || *file == '/')
		return false;
	for (const char *s = file; s; s = strchr(s, '/')) {
		s += *s == '/';
		if (s[0] == '.' && s[1] == '.' && (!s[2] || s[2] == '/'))
			return false;
	}
	return true;
}

int atlas_check_file(const json_t *atlas_json, const json_t *entry, const struct safetensors *file, struct err *e)
{
	const char *path = safetensors_path(file), *uuid = safetensors_metadata(file, "uuid");
	const char *build = safetensors_metadata(file, "build_id"), *want = json_opt_str(entry, "build_id", NULL);
	if (!uuid && !want)
		return 0; /* weights made elsewhere carry neither */
	if (!uuid)
		return err_set(e, ERR_DAMAGED, "'%s' does not say which atlas it belongs to", path);
	if (strcmp(uuid, atlas_json_uuid(atlas_json)))
		return err_set(e, ERR_DAMAGED, "'%s' belongs to another atlas: its uuid is %.40s, atlas.json's %.40s", path,
			       uuid, atlas_json_uuid(atlas_json));
	if (want && (!build || strcmp(build, want)))
		return err_set(e, ERR_UNAVAILABLE, "'%s' is of build %.40s, but atlas.json names build %.40s", path,
			       build ? build : "unknown", want);
	return 0;
}

/* why: a sentence, or NULL. */
static void set_absent(struct atlas *a, int part, const char *why)
{
	struct buf b = BUF_INIT;
	size_t what = strcspn(remedies[part].before, ";");
	buf_addf(&b, "%.*s", (int)what, remedies[part].before);
	if (why)
		buf_addf(&b, ": %s", why);
	/* nothing can be put beside a bare dictionary */
	buf_adds(&b, a->bare ? "; make an atlas of this dictionary first, with 'featlas import " : remedies[part].before + what);
	shell_add_path(&b, a->folder);
	buf_adds(&b, a->bare ? " OUT.atlas'" : remedies[part].after);
	free(a->absent[part]);
	a->absent[part] = buf_take(&b);
}

static const json_t *entry_of(const struct atlas *a, int part)
{
	return json_object_get(json_object_get(a->json, "parts"), atlas_parts[part]);
}

/* 1 and *path (owned) if the file of an entry is there, 0 if it is absent. */
static int find_file(struct atlas *a, int part, const json_t *entry, char **path, struct err *e)
{
	const char *file = json_opt_str(entry, "file", NULL);
	*path = NULL;
	if (!entry) {
		set_absent(a, part, NULL);
		return 0;
	}
	if (!file || !atlas_is_inside(file))
		return err_set(e, ERR_DAMAGED, "'%s/atlas.json' names no file inside the atlas for its %s", a->folder,
			       atlas_parts[part]);
	*path = xasprintf("%s/%s", a->folder, file);
	if (!access(*path, F_OK) || errno != ENOENT)
		return 1;
	char *why = xasprintf("'%s' is not there", file);
	set_absent(a, part, why);
	free(why);
	free(*path);
	*path = NULL;
	return 0;
}

static int check_identity(const struct atlas *a, const json_t *entry, const char *path, struct err *e)
{
	struct safetensors *s = safetensors_open(path, e);
	int r = s ? atlas_check_file(a->json, entry, s, e) : -1;
	safetensors_free(s);
	return r;
}

/* As check_identity, but a part of this atlas that atlas.json does not name yet is absent (0): a command was cut
 * short between the two, by a full disk or a power cut, and can make it again. */
static int check_part(struct atlas *a, int part, const json_t *entry, const char *path, struct err *e)
{
	struct err why = {0};
	if (!check_identity(a, entry, path, &why))
		return 1;
	if (why.code != ERR_UNAVAILABLE)
		return err_set(e, why.code, "%s", why.msg);
	set_absent(a, part, why.msg);
	return 0;
}

static int open_inside(struct atlas *a, const json_t *entry, struct err *e)
{
	char *path;
	int found = find_file(a, DICTIONARY, entry, &path, e);
	if (found < 1)
		return found < 0 ? -1 : err_set(e, ERR_DAMAGED, "'%s': %s", a->folder, a->absent[DICTIONARY]);
	int r = check_identity(a, entry, path, e);
	if (r && e && e->code == ERR_UNAVAILABLE)
		e->code = ERR_DAMAGED; /* nothing is left without it */
	char *slash = strrchr(path, '/');
	*slash = 0;
	if (!r && !(a->dict = dict_open(path, e)))
		r = -1;
	free(path);
	return r;
}

static int open_dictionary(struct atlas *a, struct err *e)
{
	const json_t *entry = entry_of(a, DICTIONARY);
	bool linked = json_object_get(entry, "at");
	if (linked && !(a->dict = atlas_open_link(entry, a->folder, e)))
		return -1;
	if (!a->dict && open_inside(a, entry, e))
		return -1;
	a->n_features = dict_info(a->dict)->n_features;
	a->d_model = dict_info(a->dict)->d_in;
	return 0;
}

static int open_store(struct atlas *a, struct err *e)
{
	const json_t *list = json_object_get(entry_of(a, STORE), "segments");
	size_t n = json_array_size(list), have = 0;
	char **paths = xcalloc(n + 1, sizeof *paths);
	int found = 1;
	if (!n)
		set_absent(a, STORE, NULL);
	for (size_t i = 0; i < n && found == 1; i++) {
		const json_t *entry = json_array_get(list, i);
		found = find_file(a, STORE, entry, &paths[have], e);
		if (found == 1)
			found = check_part(a, STORE, entry, paths[have++], e);
	}
	if (n && found == 1) {
		a->store = store_open((const char *const *)paths, n, a->n_features, e);
		found = a->store ? 1 : -1;
	}
	for (size_t i = 0; i < have; i++)
		free(paths[i]);
	free(paths);
	return found < 0 ? -1 : 0;
}

/* The parts of one file: 1 and *path when it is there and belongs here. */
static int find_part(struct atlas *a, int part, char **path, struct err *e)
{
	const json_t *entry = entry_of(a, part);
	int found = find_file(a, part, entry, path, e);
	if (found == 1 && part != RUNS)
		found = check_part(a, part, entry, *path, e);
	if (found != 1) {
		free(*path);
		*path = NULL;
	}
	return found;
}

static int open_texts(struct atlas *a, struct err *e)
{
	char *path;
	int found = find_part(a, VOCAB, &path, e);
	if (found == 1) {
		a->vocab = vocab_open(path, e);
		free(path);
	}
	if (found < 0 || (found == 1 && !a->vocab))
		return -1;
	found = find_part(a, LABELS, &path, e);
	if (found == 1) {
		a->labels = labels_open(path, a->n_features, e);
		free(path);
	}
	return found < 0 || (found == 1 && !a->labels) ? -1 : 0;
}

/* A pair of tensors [F][n]: ids u32 and values f16. */
static int check_pairs(const struct atlas *a, const struct safetensors *s, const char *ids, const char *values,
		       struct err *e)
{
	const struct tensor *t = safetensors_need(s, ids, 1u << DTYPE_U32, 2, (u64[]){a->n_features, TENSOR_ANY}, e);
	return t && safetensors_need(s, values, 1u << DTYPE_F16, 2, t->shape, e) ? 0 : -1;
}

static int check_tables(const struct atlas *a, struct err *e)
{
	u64 f[] = {a->n_features}, words[] = {a->n_features, TENSOR_ANY};
	if (a->logits && (check_pairs(a, a->logits, "promoted_token", "promoted_value", e) ||
			  check_pairs(a, a->logits, "suppressed_token", "suppressed_value", e)))
		return -1;
	if (a->graph && check_pairs(a, a->graph, "neighbour_id", "neighbour_score", e))
		return -1;
	if (a->scores && (!safetensors_need(a->scores, "input_score", 1u << DTYPE_F32, 1, f, e) ||
			  !safetensors_need(a->scores, "output_score", 1u << DTYPE_F32, 1, f, e) ||
			  !safetensors_need(a->scores, "topic_score", 1u << DTYPE_F32, 1, f, e) ||
			  !safetensors_need(a->scores, "topic_word", 1u << DTYPE_U32, 2, words, e) ||
			  (safetensors_find(a->scores, "output_score_tuned") &&
			   !safetensors_need(a->scores, "output_score_tuned", 1u << DTYPE_F32, 1, f, e))))
		return -1;
	return 0;
}

static int open_tables(struct atlas *a, struct err *e)
{
	static const int parts[] = {LOGITS, GRAPH, SCORES, MAP, EVIDENCE};
	struct safetensors **files[] = {&a->logits, &a->graph, &a->scores, &a->map_file, &a->judged_file};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		char *path;
		int found = find_part(a, parts[i], &path, e);
		if (found < 0)
			return -1;
		if (!found)
			continue;
		*files[i] = safetensors_open(path, e);
		free(path);
		if (!*files[i])
			return -1;
	}
	if (a->map_file && !(a->map = map_open(a->map_file, a->n_features, e)))
		return -1;
	if (a->judged_file && !(a->judged = judged_open(a->judged_file, e)))
		return -1;
	return check_tables(a, e) || find_part(a, RUNS, &a->runs, e) < 0 ? -1 : 0;
}

/* Ids become file names and metadata, so they are plain. */
static int get_id(const json_t *j, const char *key, char out[40], const char *what, struct err *e)
{
	const char *s;
	if (json_get_str(j, key, &s, what, e))
		return -1;
	size_t n = strlen(s);
	if (!n || n > 39 || strspn(s, "0123456789abcdefABCDEF-") != n)
		return err_set(e, ERR_DAMAGED, "%s: '%s' is not an id of hexadecimal digits and dashes", what, key);
	memcpy(out, s, n + 1);
	return 0;
}

static u32 get_count(const json_t *j, const char *key)
{
	return (u32)MIN(json_opt_u64(j, key, 0), UINT32_MAX);
}

static int read_about(struct atlas *a, struct err *e)
{
	char *what = xasprintf("'%s/atlas.json'", a->folder);
	int r = get_id(a->json, "uuid", a->uuid, what, e) || get_id(a->json, "build_id", a->build_id, what, e) ? -1 : 0;
	free(what);
	const json_t *model = json_object_get(a->json, "model"), *hook = json_object_get(a->json, "hook");
	a->name = json_opt_str(a->json, "name", "");
	a->model = (struct atlas_model){
		.name = json_opt_str(model, "name", ""),
		.sha256 = json_opt_str(model, "sha256", ""),
		.tokenizer = json_opt_str(model, "tokenizer", ""),
		.templ = json_opt_str(a->json, "template", ""),
		.d_model = get_count(model, "d_model"),
		.n_layers = get_count(model, "n_layers"),
		.n_vocab = get_count(model, "n_vocab"),
	};
	a->hook = json_opt_str(hook, "name", "");
	a->layer = get_count(hook, "layer");
	const char *place = strstr(a->hook, "hook_");
	a->place = json_opt_str(hook, "place", "");
	if (!*a->place && place)
		a->place = place + strlen("hook_");
	f64 median = json_opt_f64(a->json, "norm_median", 0);
	a->norm_median = median > 0 && median < 1e30 ? (f32)median : 0;
	return r;
}

/* What is there instead of an atlas; takes json and dict (NULL: the atlas's json names it). */
static struct atlas *open_parts(const char *path, json_t *json, struct dict *dict, struct err *e)
{
	struct atlas *a = xcalloc(1, sizeof *a);
	a->json = json;
	a->dict = dict;
	a->bare = dict;
	a->folder = xstrdup(path);
	a->notes = dict ? "" : a->folder;
	a->absent = xcalloc(ATLAS_N_PARTS, sizeof *a->absent);
	if (read_about(a, e) || open_dictionary(a, e) || open_store(a, e) || open_texts(a, e) || open_tables(a, e)) {
		atlas_free(a);
		return NULL;
	}
	if (!*a->hook)
		a->hook = dict_info(a->dict)->hook_name;
	return a;
}

bool atlas_as_published(const struct atlas *a)
{
	return a->store && store_is_imported(a->store);
}

static bool has_file(const char *folder, const char *name)
{
	char *file = xasprintf("%s/%s", folder, name);
	bool has = !access(file, F_OK);
	free(file);
	return has;
}

/* Parts without atlas.json: it was never finished, or has lost it. */
static bool is_unfinished(const char *path)
{
	static const char *const files[] = {"activations.safetensors", "vocab.safetensors", "logits.safetensors"};
	bool found = false;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		found |= has_file(path, files[i]);
	return found;
}

static struct atlas *open_bare(const char *path, const struct dict_options *o, struct err *e)
{
	if (is_unfinished(path)) {
		err_set(e, ERR_FAILED, "cannot open the atlas '%s': parts of one are there, but no atlas.json", path);
		return NULL;
	}
	if (has_file(path, "acts.json")) {
		struct buf word = BUF_INIT;
		shell_add_path(&word, path);
		err_set(e, ERR_FAILED, "'%s' is a harvest, not an atlas; make one of it with 'featlas train %s ATLAS'", path,
			word.s);
		buf_release(&word);
		return NULL;
	}
	struct dict *d = dict_open_with(path, o, e);
	json_t *json = d ? atlas_bare_json(path, d, e) : NULL;
	if (!json) {
		err_wrap(e, access(path, F_OK) ? "cannot open the atlas '%s'" : "'%s' has no atlas.json, and as a dictionary",
			 path);
		dict_free(d);
		return NULL;
	}
	return open_parts(path, json, d, e);
}

struct atlas *atlas_open_with(const char *path, const struct dict_options *o, struct err *e)
{
	char *file = xasprintf("%s/atlas.json", path);
	bool bare = access(file, F_OK);
	free(file);
	if (bare)
		return open_bare(path, o, e);
	if (o && o->set) {
		err_set(e, ERR_USAGE, "'%s' is an atlas: how its dictionary is computed was said when it was made", path);
		return NULL;
	}
	json_t *json = atlas_json_read(path, e);
	if (!json) {
		err_wrap(e, "cannot open the atlas '%s'", path);
		return NULL;
	}
	return open_parts(path, json, NULL, e);
}

struct atlas *atlas_open(const char *path, struct err *e)
{
	return atlas_open_with(path, NULL, e);
}

void atlas_free(struct atlas *a)
{
	if (!a)
		return;
	safetensors_free(a->logits);
	safetensors_free(a->graph);
	safetensors_free(a->scores);
	map_free(a->map);
	safetensors_free(a->map_file);
	judged_free(a->judged);
	safetensors_free(a->judged_file);
	vocab_free(a->vocab);
	labels_free(a->labels);
	store_free(a->store);
	dict_free(a->dict);
	for (int i = 0; i < ATLAS_N_PARTS; i++)
		free(a->absent[i]);
	free(a->absent);
	free(a->runs);
	json_decref(a->json);
	free(a->folder);
	free(a);
}

void atlas_add_command(const struct atlas *a, const char *subcommand, struct buf *out)
{
	buf_addf(out, "featlas %s ", subcommand);
	shell_add_path(out, a->folder);
}

const char *atlas_missing(const struct atlas *a, const char *part)
{
	for (int i = 0; i < ATLAS_N_PARTS; i++)
		if (!strcmp(atlas_parts[i], part))
			return a->absent[i];
	return NULL;
}

/* Row `feature` of an [F][n] pair of tensors, in order; UINT32_MAX ends it. */
static size_t get_pairs(const struct safetensors *s, const char *ids, const char *values, u32 feature,
			struct atlas_token *out, size_t cap)
{
	const struct tensor *id = safetensors_find(s, ids), *value = safetensors_find(s, values);
	size_t n = 0;
	for (u64 i = 0; i < id->shape[1]; i++) {
		u64 at = feature * id->shape[1] + i;
		u32 x = (u32)tensor_u64(id, at);
		if (x == UINT32_MAX)
			break;
		if (n < cap)
			out[n++] = (struct atlas_token){x, tensor_f32(value, at)};
	}
	return n;
}

size_t atlas_logits(const struct atlas *a, u32 feature, int sign, struct atlas_token *out, size_t cap)
{
	if (!a->logits || feature >= a->n_features)
		return 0;
	return get_pairs(a->logits, sign > 0 ? "promoted_token" : "suppressed_token",
			 sign > 0 ? "promoted_value" : "suppressed_value", feature, out, cap);
}

size_t atlas_neighbours(const struct atlas *a, u32 feature, struct atlas_neighbour *out, size_t cap)
{
	if (!a->graph || feature >= a->n_features)
		return 0;
	const struct tensor *id = safetensors_find(a->graph, "neighbour_id"),
			    *score = safetensors_find(a->graph, "neighbour_score");
	size_t n = 0;
	for (u64 i = 0; i < id->shape[1]; i++) {
		u64 at = feature * id->shape[1] + i;
		u32 x = (u32)tensor_u64(id, at);
		if (x < a->n_features && n < cap) /* UINT32_MAX where there are fewer features than places */
			out[n++] = (struct atlas_neighbour){x, tensor_f32(score, at)};
	}
	return n;
}

void atlas_scores(const struct atlas *a, u32 feature, struct atlas_scores *out)
{
	*out = (struct atlas_scores){NAN, NAN, NAN, NAN};
	if (!a->scores || feature >= a->n_features)
		return;
	out->input = tensor_f32(safetensors_find(a->scores, "input_score"), feature);
	out->output = tensor_f32(safetensors_find(a->scores, "output_score"), feature);
	out->topic = tensor_f32(safetensors_find(a->scores, "topic_score"), feature);
	const struct tensor *tuned = safetensors_find(a->scores, "output_score_tuned"); /* older files lack it */
	if (tuned)
		out->tuned = tensor_f32(tuned, feature);
}

size_t atlas_topic_words(const struct atlas *a, u32 feature, u32 *words, size_t cap)
{
	if (!a->scores || feature >= a->n_features)
		return 0;
	const struct tensor *t = safetensors_find(a->scores, "topic_word");
	size_t n = 0;
	for (u64 i = 0; i < t->shape[1]; i++) {
		u32 x = (u32)tensor_u64(t, feature * t->shape[1] + i);
		if (x == UINT32_MAX)
			break;
		if (n < cap)
			words[n++] = x;
	}
	return n;
}
