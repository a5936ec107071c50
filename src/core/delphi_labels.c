/* SPDX-License-Identifier: MIT */
/* delphi_labels.c - Delphi's explanations, with the scores they got. */
#include "core/delphi.h"

#include "base/json.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* "layers.5.mlp_latent123.txt" */
static bool split_name(const char *name, size_t *module, u32 *latent)
{
	const char *mark = NULL;
	for (const char *s = name; (s = strstr(s, "_latent")); s++)
		mark = s;
	if (!mark || mark[7] < '0' || mark[7] > '9')
		return false;
	char *end;
	errno = 0;
	unsigned long n = strtoul(mark + 7, &end, 10);
	if (errno || n >= 1u << 28 || strcmp(end, ".txt"))
		return false;
	*module = (size_t)(mark - name);
	*latent = (u32)n;
	return true;
}

/* Class-balanced accuracy of a list of {activating, prediction}; NaN where none was judged.  A prediction
 * is a truth value, or a number that says yes from 0.5 on. */
static f32 balanced_accuracy(const json_t *list)
{
	u64 n[2] = {0}, right[2] = {0};
	size_t i;
	json_t *x;
	json_array_foreach(list, i, x) {
		const json_t *said = json_object_get(x, "prediction"), *truth = json_object_get(x, "activating");
		if (!json_is_boolean(truth) || (!json_is_boolean(said) && !json_is_number(said)))
			continue;
		bool yes = json_is_boolean(said) ? json_is_true(said) : json_number_value(said) >= 0.5;
		bool is = json_is_true(truth);
		n[is]++;
		right[is] += yes == is;
	}
	if (!n[0] && !n[1])
		return NAN;
	f64 sum = (n[0] ? (f64)right[0] / (f64)n[0] : 0) + (n[1] ? (f64)right[1] / (f64)n[1] : 0);
	return (f32)(sum / 2);
}

static f32 score_in(const char *folder, const char *method, const char *name)
{
	struct err e = {0};
	char *path = xasprintf("%s/../scores/%s/%s", folder, method, name);
	json_t *j = json_read_file(path, &e);
	f32 score = json_is_array(j) ? balanced_accuracy(j) : NAN;
	json_decref(j);
	free(path);
	return score;
}

static int add(struct delphi_labels *l, const char *folder, const char *name, u32 latent, struct err *e)
{
	char *path = xasprintf("%s/%s", folder, name);
	json_t *j = json_read_file(path, e);
	int bad = j ? 0 : -1;
	if (!bad && !json_is_string(j))
		bad = err_set(e, ERR_DAMAGED, "'%s' is not a JSON string", path);
	if (!bad && json_string_length(j)) {
		if (!(l->n & (l->n + 1)))
			l->items = xreallocarray(l->items, 2 * l->n + 2, sizeof *l->items);
		const char *source = "delphi detection";
		f32 score = score_in(folder, "detection", name);
		if (isnan(score)) {
			score = score_in(folder, "fuzz", name);
			source = isnan(score) ? "delphi" : "delphi fuzzing";
		}
		size_t n = json_string_length(j);
		l->items[l->n++] = (struct label){.text = {(const u8 *)xstrndup(json_string_value(j), n), n},
						  .feature = latent,
						  .kind = LABEL_MACHINE,
						  .source = source,
						  .score = score,
						  .model = "",
						  .author = ""};
	}
	json_decref(j);
	free(path);
	return bad;
}

int delphi_labels_read(const char *explanations, const char *module, struct delphi_labels *out, struct err *e)
{
	*out = (struct delphi_labels){0};
	struct dirent **list = NULL;
	int n = scandir(explanations, &list, NULL, alphasort), bad = 0;
	if (n < 0)
		return err_os(e, "cannot read '%s'", explanations);
	for (int i = 0; i < n; i++) {
		size_t len;
		u32 latent;
		if (!bad && split_name(list[i]->d_name, &len, &latent) &&
		    (!module || (strlen(module) == len && !strncmp(module, list[i]->d_name, len))))
			bad = add(out, explanations, list[i]->d_name, latent, e);
		free(list[i]);
	}
	free(list);
	if (bad)
		delphi_labels_release(out);
	return bad;
}

void delphi_labels_release(struct delphi_labels *l)
{
	for (u64 i = 0; i < l->n; i++)
		free((void *)(uintptr_t)l->items[i].text.p);
	free(l->items);
	*l = (struct delphi_labels){0};
}
