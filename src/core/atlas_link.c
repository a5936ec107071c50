/* SPDX-License-Identifier: MIT */
/* atlas_link.c - atlases of dictionaries that lie elsewhere: in memory alone, or with a folder of their own. */
#include "base/mem.h"
#include "base/sha256.h"
#include "core/atlas.h"
#include "core/atlas_impl.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The last part of a path without slashes and ending. */
static char *name_of(const char *path)
{
	size_t n = strlen(path), from;
	while (n > 1 && path[n - 1] == '/')
		n--;
	for (from = n; from && path[from - 1] != '/';)
		from--;
	return xstrndup(path + from, n - from);
}

static json_t *text(const char *s)
{
	return json_text(s, strlen(s));
}

/* Members that say what the dictionary is of. */
static void put_about(json_t *j, const struct dict *d)
{
	const struct dict_info *i = dict_info(d);
	const char *place = strstr(i->hook_name, "hook_");
	u32 layer = 0;
	for (const char *s = strstr(i->hook_name, "blocks."); s && !layer && isdigit((unsigned char)s[7]); s = NULL)
		layer = (u32)strtoul(s + 7, NULL, 10);
	if (*i->model_name && !json_object_get(j, "model"))
		json_object_set_new(j, "model", json_pack("{s:o, s:I}", "name", text(i->model_name), "d_model",
							  (json_int_t)i->d_in));
	if (*i->hook_name && !json_object_get(j, "hook"))
		json_object_set_new(j, "hook", json_pack("{s:o, s:I, s:o}", "name", text(i->hook_name), "layer",
							 (json_int_t)layer, "place",
							 text(place ? place + strlen("hook_") : i->hook_name)));
}

/* An id that the same file has again: labels of a bare dictionary are found by it. */
static void uuid_of(const struct dict_identity *i, char out[40])
{
	char hex[65], *key = xasprintf("%s %llu", i->weights, (unsigned long long)i->bytes);
	sha256_bytes(key, strlen(key), hex);
	free(key);
	snprintf(out, 40, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

json_t *atlas_bare_json(const char *path, const struct dict *d, struct err *e)
{
	struct dict_identity i;
	char uuid[40], *name = name_of(path);
	json_t *j = NULL;
	if (!dict_identity(d, &i, e)) {
		uuid_of(&i, uuid);
		j = json_pack("{s:s, s:i, s:s, s:s, s:o, s:{}}", "format", "featlas-atlas", "version", 1, "uuid", uuid,
			      "build_id", "0", "name", text(name), "parts");
		put_about(j, d);
	}
	dict_identity_release(&i);
	free(name);
	return j;
}

static json_t *options_json(const struct dict_options *o)
{
	json_t *j = json_object();
	if (o && o->set & DICT_SET_NORM_SCALE)
		json_object_set_new(j, "norm_scale", json_real(o->norm_scale));
	if (o && o->set & DICT_SET_NORM)
		json_object_set_new(j, "norm", json_integer(o->norm));
	if (o && o->set & DICT_SET_B_DEC)
		json_object_set_new(j, "apply_b_dec_to_input", json_boolean(o->apply_b_dec_to_input));
	if (o && o->set & DICT_SET_RESCALE)
		json_object_set_new(j, "rescale_by_decoder_norm", json_boolean(o->rescale_by_decoder_norm));
	return j;
}

static void options_read(const json_t *j, struct dict_options *o)
{
	*o = (struct dict_options){
		.norm_scale = json_opt_f64(j, "norm_scale", 1),
		.norm = (enum dict_norm)MIN(json_opt_u64(j, "norm", 0), (u64)DICT_NORM_LAYER),
		.apply_b_dec_to_input = json_opt_bool(j, "apply_b_dec_to_input", false),
		.rescale_by_decoder_norm = json_opt_bool(j, "rescale_by_decoder_norm", false),
	};
	o->set = (json_object_get(j, "norm_scale") ? DICT_SET_NORM_SCALE : 0u) |
		 (json_object_get(j, "norm") ? DICT_SET_NORM : 0u) |
		 (json_object_get(j, "apply_b_dec_to_input") ? DICT_SET_B_DEC : 0u) |
		 (json_object_get(j, "rescale_by_decoder_norm") ? DICT_SET_RESCALE : 0u);
}

int atlas_json_link_dict(json_t *j, const char *path, const struct dict_options *o, const char *command, struct err *e)
{
	struct dict *d = dict_open_with(path, o, e);
	struct dict_identity i = {0};
	char *at = d ? realpath(path, NULL) : NULL;
	int bad = -1;
	if (d && !at)
		err_os(e, "cannot open '%s'", path);
	if (at && !dict_identity(d, &i, e)) {
		json_t *entry = json_pack("{s:o, s:I, s:I, s:s, s:o}", "at", text(at), "bytes", (json_int_t)i.bytes, "mtime",
					  (json_int_t)i.mtime, "header_sha256", i.header, "options", options_json(o));
		if (command)
			json_object_set_new(entry, "command", text(command));
		if (!json_is_object(json_object_get(j, "parts")))
			json_object_set_new(j, "parts", json_object());
		json_object_set_new(json_object_get(j, "parts"), "dictionary", entry);
		put_about(j, d);
		bad = 0;
	}
	dict_identity_release(&i);
	free(at);
	dict_free(d);
	return bad;
}

struct dict *atlas_open_link(const json_t *entry, const char *folder, struct err *e)
{
	struct dict_options o;
	struct dict_identity i = {0};
	const char *at = json_opt_str(entry, "at", "");
	if (*at != '/') {
		err_set(e, ERR_DAMAGED, "'%s/atlas.json' does not name its dictionary by an absolute path", folder);
		return NULL;
	}
	options_read(json_object_get(entry, "options"), &o);
	struct dict *d = dict_open_with(at, &o, e);
	if (!d) {
		err_wrap(e, "the dictionary of the atlas '%s'", folder);
		return NULL;
	}
	int bad = dict_identity(d, &i, e);
	if (!bad && (i.bytes != json_opt_u64(entry, "bytes", 0) || strcmp(i.header, json_opt_str(entry, "header_sha256", ""))))
		bad = err_set(e, ERR_DAMAGED, "'%s' is not the dictionary that '%s/atlas.json' names: its %s another", at,
			      folder, i.bytes != json_opt_u64(entry, "bytes", 0) ? "size is" : "header or configuration is");
	dict_identity_release(&i);
	if (!bad)
		return d;
	dict_free(d);
	return NULL;
}

int atlas_link(const char *path, const struct dict_options *o, const char *out, const char *name, struct err *e)
{
	char *json = xasprintf("%s/atlas.json", out);
	json_t *j = atlas_json_new(name);
	int bad = 0;
	if (!access(json, F_OK))
		bad = err_set(e, ERR_FAILED, "'%s' is there already", json);
	bad = bad || atlas_json_link_dict(j, path, o, "import", e);
	if (!bad && mkdir(out, 0777) && errno != EEXIST)
		bad = err_os(e, "cannot make '%s'", out);
	bad = bad || atlas_commit(j, out, e);
	json_decref(j);
	free(json);
	return bad ? -1 : 0;
}
