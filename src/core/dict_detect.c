/* SPDX-License-Identifier: MIT */
/* dict_detect.c - which dictionary lies at a path: by what is there, never by asking.
 *
 * A folder is searched for pairs of files that projects write; then the names of the tensors, and the keys of
 * the configuration beside them, decide.  A Hugging Face cache folder stands for its snapshot.
 */
#include "base/mem.h"
#include "core/dict_plan.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LISTED = 4096 };

/* What a folder may hold, the surest first; config NULL: none is needed. */
static const struct {
	const char *config, *weights;
} pairs[] = {
	{"cfg.json", "sae_weights.safetensors"},
	{"cfg.json", "sae.safetensors"},
	{"hyperparams.json", "checkpoints/final.safetensors"},
	{"config.json", "sae_weights.safetensors"},
	{"config.json", "ae.pt"},
	{"conf.yaml", "latest_ckpt.safetensors"},
	{NULL, "params.npz"},
	{NULL, "params.safetensors"},
	{NULL, "ae.pt"},
};

static char *join(const char *folder, const char *name)
{
	return xasprintf("%s%s%s", folder, *folder && folder[strlen(folder) - 1] == '/' ? "" : "/", name);
}

static bool is_there(const char *path)
{
	return !access(path, F_OK);
}

static bool is_folder(const char *path)
{
	struct stat st;
	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && !strcmp(s + n - m, end);
}

/* The file, or its shards' index; owned, or NULL. */
static char *weights_in(const char *folder, const char *name)
{
	char *path = join(folder, name);
	if (is_there(path))
		return path;
	char *index = xasprintf("%s.index.json", path);
	free(path);
	if (is_there(index))
		return index;
	free(index);
	return NULL;
}

struct listing {
	char **weights, **folders, **others;
	size_t n_weights, n_folders, n_others;
};

static void keep_name(char ***list, size_t *n, const char *name)
{
	if (*n >= MAX_LISTED)
		return;
	*list = xreallocarray(*list, *n + 1, sizeof **list);
	(*list)[(*n)++] = xstrdup(name);
}

/* Names that look like weights.  Statistics, activations and trainer states that lie beside them are none. */
static bool looks_like_weights(const char *name)
{
	static const char *const ends[] = {".safetensors", ".npz", ".pt", ".pth", ".ckpt", ".safetensors.index.json"};
	static const char *const no[] = {"sparsity.safetensors", "activations_store_state.safetensors", "trainer_state.pt"};
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (!strcmp(name, no[i]))
			return false;
	/* the decoder of a cross-layer transcoder is opened with its encoder, a shard with its index */
	if (!strncmp(name, "W_dec_", 6) || strstr(name, "-of-"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (ends_with(name, ends[i]))
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_folder(const char *folder, struct listing *l, struct err *e)
{
	DIR *dir = opendir(folder);
	if (!dir)
		return err_os(e, "cannot read the folder '%s'", folder);
	for (const struct dirent *d; (d = readdir(dir));) {
		char *path = join(folder, d->d_name);
		if (d->d_name[0] == '.')
			;
		else if (is_folder(path))
			keep_name(&l->folders, &l->n_folders, d->d_name);
		else if (looks_like_weights(d->d_name))
			keep_name(&l->weights, &l->n_weights, d->d_name);
		else
			keep_name(&l->others, &l->n_others, d->d_name);
		free(path);
	}
	closedir(dir);
	char **lists[] = {l->weights, l->folders, l->others};
	size_t n[] = {l->n_weights, l->n_folders, l->n_others};
	for (size_t i = 0; i < 3; i++)
		if (n[i])
			qsort(lists[i], n[i], sizeof *lists[i], by_name);
	return 0;
}

static void listing_release(struct listing *l)
{
	char **lists[] = {l->weights, l->folders, l->others};
	size_t n[] = {l->n_weights, l->n_folders, l->n_others};
	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < n[i]; k++)
			free(lists[i][k]);
		free(lists[i]);
	}
}

static void add_names(struct buf *b, char *const *names, size_t n, const char *after)
{
	for (size_t i = 0; i < n && i < 4; i++)
		buf_addf(b, "%s'%.60s%s'", i ? ", " : "", names[i], after);
	if (n > 4)
		buf_addf(b, " and %zu more", n - 4);
}

static int no_dictionary(const char *folder, const struct listing *l, struct err *e)
{
	struct buf b = BUF_INIT;
	if (l->n_weights) {
		buf_addf(&b, "'%.200s' holds %zu files of weights, name one of them: ", folder, l->n_weights);
		add_names(&b, l->weights, l->n_weights, "");
	} else {
		buf_addf(&b, "'%.200s' holds no dictionary that is known: ", folder);
		if (!l->n_folders && !l->n_others)
			buf_adds(&b, "it is empty");
		if (l->n_others) {
			buf_adds(&b, "no weights beside ");
			add_names(&b, l->others, l->n_others, "");
		}
		if (l->n_folders) {
			buf_addf(&b, "%sif one of its folders does, name that: ", l->n_others ? "; " : "");
			add_names(&b, l->folders, l->n_folders, "/");
		}
	}
	int r = err_set(e, ERR_NOT_FOUND, "%s", b.s);
	buf_release(&b);
	return r;
}

/* models--ORG--NAME of a Hugging Face cache: the snapshot that refs/main names, or the only one. */
static char *snapshot_of(const char *folder)
{
	char *snapshots = join(folder, "snapshots"), *ref = join(folder, "refs/main"), *out = NULL;
	char name[80] = "";
	FILE *f = is_folder(snapshots) ? fopen(ref, "r") : NULL;
	if (f) {
		size_t n = fread(name, 1, sizeof name - 1, f);
		name[n] = 0;
		name[strcspn(name, "\r\n")] = 0;
		fclose(f);
	}
	struct listing l = {0};
	if (!*name && is_folder(snapshots) && !list_folder(snapshots, &l, NULL) && l.n_folders == 1)
		snprintf(name, sizeof name, "%.79s", l.folders[0]);
	if (*name && !strchr(name, '/') && name[0] != '.')
		out = join(snapshots, name);
	listing_release(&l);
	free(snapshots);
	free(ref);
	return out;
}

static int search_folder(const char *folder, struct dict_found *out, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		char *config = pairs[i].config ? join(folder, pairs[i].config) : NULL;
		char *weights = !config || is_there(config) ? weights_in(folder, pairs[i].weights) : NULL;
		free(config);
		if (weights) {
			out->weights = weights;
			return 0;
		}
	}
	struct listing l = {0};
	int r = list_folder(folder, &l, e);
	if (!r && l.n_weights == 1)
		out->weights = join(folder, l.weights[0]);
	else if (!r)
		r = no_dictionary(folder, &l, e);
	listing_release(&l);
	return r;
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return !slash ? xstrdup(".") : xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* dictionary_learning keeps the checkpoints of a training a folder below its configuration. */
static void config_of_run(struct dict_found *f)
{
	char *path = join(f->folder, "../config.json");
	json_t *j = is_there(path) ? json_read_file(path, NULL) : NULL;
	if (json_is_object(json_object_get(j, "trainer"))) {
		f->config_path = path;
		f->config = j;
	} else {
		free(path);
		json_decref(j);
	}
}

/* The configuration beside the weights: cfg.json, config.json, WEIGHTS_cfg.json, or those above. */
static int find_config(struct dict_found *f, struct err *e)
{
	const char *base = base_of(f->weights);
	size_t stem = strcspn(base, ".");
	for (const char *s = base; *s; s++) /* names of weights have points of their own */
		stem = *s == '.' ? (size_t)(s - base) : stem;
	char *tries[] = {
		xasprintf("%s/%.*s_cfg.json", f->folder, (int)stem, base),
		join(f->folder, "cfg.json"),
		join(f->folder, "config.json"),
		join(f->folder, "hyperparams.json"),
		join(f->folder, "../hyperparams.json"),
	};
	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		if (!f->config_path && is_there(tries[i]))
			f->config_path = tries[i];
		else
			free(tries[i]);
	}
	if (!f->config_path) {
		config_of_run(f);
		return 0;
	}
	f->config = json_read_file(f->config_path, e);
	if (!f->config)
		return -1;
	return json_is_object(f->config) ? 0 : err_set(e, ERR_DAMAGED, "'%s' is not a JSON object", f->config_path);
}

static bool has(const struct dict_found *f, const char *name)
{
	return tensors_find(f->file, name);
}

static bool says(const struct dict_found *f, const char *key)
{
	return json_object_get(f->config, key);
}

static bool has_ending(const struct dict_found *f, const char *end)
{
	for (size_t i = 0; i < tensors_count(f->file); i++)
		if (ends_with(tensors_at(f->file, i)->name, end))
			return true;
	return false;
}

static bool has_beginning(const struct dict_found *f, const char *start)
{
	for (size_t i = 0; i < tensors_count(f->file); i++)
		if (!strncmp(tensors_at(f->file, i)->name, start, strlen(start)))
			return true;
	return false;
}

static bool is_learning(const struct dict_found *f)
{
	return says(f, "trainer") || has(f, "gate_bias") || has(f, "group_sizes") ||
	       (has(f, "encoder.weight") && has(f, "decoder.weight") && (has(f, "bias") || has(f, "b_dec"))) ||
	       (!f->config && has(f, "W_enc") && has(f, "W_dec") && has(f, "threshold") &&
		tensors_kind(f->file) == TENSORS_TORCH);
}

/* W_enc as [F][d], as those who write transcoders for circuit-tracer store it. */
static bool encoder_is_by_feature(const struct dict_found *f)
{
	const struct tensor *enc = tensors_find(f->file, "W_enc"), *dec = tensors_find(f->file, "W_dec");
	return enc && dec && enc->n_dims == 2 && dec->n_dims == 2 && enc->shape[0] == dec->shape[0] &&
	       enc->shape[1] != dec->shape[0];
}

typedef int (*reader)(struct dict_plan *p, const struct dict_found *f, struct err *e);

/* By tensors alone, then by the configuration; the first that fits. */
static reader choose(const struct dict_found *f)
{
	bool npz = tensors_kind(f->file) == TENSORS_NPZ;
	if (has_beginning(f, "attn_layers.") || !strcmp(json_opt_str(f->config, "architecture", ""), "temporal"))
		return dict_read_temporal;
	if (has(f, "W_E"))
		return dict_read_llamascopium;
	if (has(f, "log_jumprelu_threshold") && has(f, "encoder.weight"))
		return dict_read_llama_scope_r1;
	if (says(f, "jump_relu_threshold") && has(f, "encoder.weight"))
		return dict_read_llama_scope;
	if (has(f, "pre_bias") && has(f, "latent_bias"))
		return dict_read_openai;
	if (has(f, "encoder_linear.weight"))
		return dict_read_goodfire;
	if (has_ending(f, "encoder.0.weight"))
		return dict_read_e2e;
	if (has_beginning(f, "W_enc_"))
		return dict_read_clt;
	if (npz)
		return dict_read_gemma;
	if (has(f, "w_enc"))
		return dict_read_gemma_2;
	if (says(f, "act_size") && has(f, "W_enc"))
		return dict_read_connor_rob;
	if (has(f, "W_dec") && (says(f, "d_sae") || says(f, "architecture")))
		return dict_read_saelens;
	if (has(f, "encoder.weight") && has(f, "W_dec"))
		return dict_read_sparsify;
	if (is_learning(f))
		return dict_read_learning;
	if (encoder_is_by_feature(f) || has(f, "activation_function.threshold"))
		return dict_read_circuit;
	if (has(f, "encoder.weight") && has(f, "decoder.weight"))
		return dict_read_linear;
	if (has(f, "W_enc") && has(f, "W_dec"))
		return dict_read_saelens;
	return NULL;
}

static int not_known(const struct dict_found *f, struct err *e)
{
	struct buf b = BUF_INIT;
	size_t n = tensors_count(f->file);
	buf_addf(&b, "'%.200s' is no dictionary that is known: ", f->weights);
	buf_adds(&b, n ? "its tensors are " : "it holds no tensors");
	for (size_t i = 0; i < n && i < 5; i++)
		buf_addf(&b, "%s'%.40s'", i ? ", " : "", tensors_at(f->file, i)->name);
	if (n > 5)
		buf_addf(&b, " and %zu more", n - 5);
	int r = err_set(e, ERR_NOT_FOUND, "%s", b.s);
	buf_release(&b);
	return r;
}

/* A configuration stands for the weights beside it. */
static bool is_config(const char *name)
{
	return !strcmp(name, "cfg.json") || !strcmp(name, "config.json") || !strcmp(name, "hyperparams.json");
}

static int find_weights(const char *path, struct dict_found *out, struct err *e)
{
	if (!is_there(path))
		return err_os(e, "cannot open '%s'", path);
	if (is_folder(path)) {
		char *snapshot = snapshot_of(path);
		int r = search_folder(snapshot ? snapshot : path, out, e);
		free(snapshot);
		return r;
	}
	if (is_config(base_of(path))) {
		char *folder = folder_of(path);
		int r = search_folder(folder, out, e);
		free(folder);
		return r;
	}
	out->weights = xstrdup(path);
	return 0;
}

int dict_detect(const char *path, struct dict_found *out, struct err *e)
{
	*out = (struct dict_found){.path = xstrdup(path)};
	if (find_weights(path, out, e))
		return -1;
	out->folder = folder_of(out->weights);
	char *real = realpath(out->folder, NULL);
	out->place = join(real ? real : out->folder, base_of(out->weights));
	free(real);
	if (find_config(out, e) || !(out->file = tensors_open(out->weights, e)))
		return -1;
	out->read = choose(out);
	return out->read ? 0 : not_known(out, e);
}

void dict_found_release(struct dict_found *f)
{
	free(f->path);
	free(f->folder);
	free(f->weights);
	free(f->place);
	free(f->config_path);
	json_decref(f->config);
	tensors_free(f->file);
	*f = (struct dict_found){0};
}
