/* SPDX-License-Identifier: MIT */
/* tool.c - files that shell tests need, made and compared.
 *
 * usage: tool acts OUT.acts N_TEXTS        rows of a few hidden directions, 64 tokens a text
 *        tool close A B NAME TOLERANCE     is the tensor the same, to a share of each row's largest?
 *        tool row A NAME I OUT             row I of a tensor as the only tensor of a file
 *        tool edit FILE FROM TO            changes text or bytes (\\xHH) wherever they are, by as many
 *        tool agree A B TOLERANCE          are acts, with every zero in its place, and recon?
 */
#include "core/acts.h"
#include "core/rand.h"
#include "core/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { D = 16, TOKENS = 64, HIDDEN = 24 };

static int fail(const struct err *e)
{
	fprintf(stderr, "tool: %s\n", e->msg);
	return 2;
}

static void make_row(f32 *x, u64 at)
{
	for (u64 j = 0; j < D; j++)
		x[j] = 5 + (f32)(0.1 * rand_normal(1, at * D + j));
	for (u64 h = 0; h < 2; h++) {
		u64 dir = rand_u64(2 + h, at) % HIDDEN;
		for (u64 j = 0; j < D; j++)
			x[j] += (f32)(3 * rand_normal(10 + dir, j));
	}
}

static int make_acts(const char *path, u64 n)
{
	struct err e = {0};
	const char *hook = "blocks.3.hook_resid_post";
	json_t *about = json_pack("{s:{s:s, s:i, s:i, s:i}, s:s}", "model", "name", "made-up", "d_model", D,
				  "n_layers", 6, "n_vocab", 100, "template", "{user}");
	struct acts_writer *w = acts_writer_open(path, about, &hook, 1, D, &e);
	if (!w)
		return fail(&e);
	for (u64 t = 0; t < n; t++) {
		static f32 x[TOKENS][D];
		const f32 *rows = &x[0][0];
		u32 tokens[TOKENS];
		u8 flags[TOKENS] = {TOKEN_FIRST};
		for (u64 i = 0; i < TOKENS; i++) {
			tokens[i] = (u32)(i % 100);
			make_row(x[i], t * TOKENS + i);
		}
		for (int j = 0; j < D; j++)
			x[0][j] = 60000; /* would own every number if it were not masked */
		if (acts_writer_text(w, tokens, flags, &rows, TOKENS, &e)) {
			acts_writer_abandon(w);
			return fail(&e);
		}
	}
	return acts_writer_close(w, &e) ? fail(&e) : 0;
}

static int close_enough(const struct tensor *a, const struct tensor *b, f64 tolerance)
{
	u64 width = a->shape[a->n_dims - 1];
	for (u64 i = 0; i < a->n; i += width) {
		f64 most = 0, worst = 0;
		for (u64 j = i; j < i + width; j++) {
			most = fmax(most, fabs((f64)tensor_f32(b, j)));
			f64 off = fabs((f64)tensor_f32(a, j) - tensor_f32(b, j));
			worst = off <= worst ? worst : off; /* NaN stays */
		}
		if (!(worst <= tolerance * most)) {
			printf("row %llu differs by %g of %g\n", (unsigned long long)(i / width), worst,
			       most);
			return 1;
		}
	}
	return 0;
}

static int same_zeros(const struct tensor *a, const struct tensor *b)
{
	for (u64 i = 0; i < a->n; i++)
		if (!tensor_f32(a, i) != !tensor_f32(b, i)) {
			u64 width = a->shape[a->n_dims - 1];
			printf("row %llu, feature %llu: %g, not %g\n", (unsigned long long)(i / width),
			       (unsigned long long)(i % width), (f64)tensor_f32(a, i), (f64)tensor_f32(b, i));
			return 1;
		}
	return 0;
}

static int compare(struct safetensors *a, struct safetensors *b, const char *name, f64 tolerance, bool zeros)
{
	const struct tensor *s = safetensors_find(a, name), *t = safetensors_find(b, name);
	if (!s || !t || s->n_dims != t->n_dims ||
	    memcmp(s->shape, t->shape, sizeof *s->shape * (size_t)s->n_dims)) {
		printf("no such tensors, or of other shapes: %s\n", name);
		return 1;
	}
	return (zeros && same_zeros(s, t)) || close_enough(s, t, tolerance);
}

static int compare_files(const char *path_a, const char *path_b, const char *name, f64 tolerance)
{
	struct err e = {0};
	struct safetensors *a = safetensors_open(path_a, &e), *b = a ? safetensors_open(path_b, &e) : NULL;
	if (!b) {
		safetensors_free(a);
		return fail(&e);
	}
	int differs = name ? compare(a, b, name, tolerance, false)
			   : compare(a, b, "acts", tolerance, true) || compare(a, b, "recon", tolerance, false);
	safetensors_free(a);
	safetensors_free(b);
	return differs;
}

static int cut_row(const char *path, const char *name, const char *row, const char *out)
{
	static f32 x[1 << 16];
	struct err e = {0};
	struct safetensors *f = safetensors_open(path, &e);
	if (!f)
		return fail(&e);
	const struct tensor *t = safetensors_find(f, name);
	u64 d = t ? t->shape[1] : 0;
	tensor_get_f32(t, strtoull(row, NULL, 10) * d, d, x);
	struct tensor_out o = {"direction", DTYPE_F32, 1, {d}, x};
	int bad = safetensors_write_file(out, &o, 1, (const char *const[]){NULL}, &e);
	safetensors_free(f);
	return bad ? fail(&e) : 0;
}

static size_t unescape(char *s)
{
	size_t n = 0;
	for (const char *p = s; *p; n++) {
		unsigned byte;
		if (p[0] == '\\' && p[1] == 'x' && sscanf(p + 2, "%2x", &byte) == 1) {
			s[n] = (char)byte;
			p += 4;
		} else {
			s[n] = *p++;
		}
	}
	return n;
}

static int edit(const char *path, char *from, char *to)
{
	size_t n = unescape(from), m = unescape(to), hits = 0, size = 0;
	FILE *f = fopen(path, "r+b");
	static char all[1 << 20];
	if (!f || n != m || !n || (size = fread(all, 1, sizeof all, f)) == sizeof all) {
		fputs("tool: no such file, a large one, or other lengths\n", stderr);
		return 2;
	}
	for (size_t i = 0; i + n <= size; i++)
		if (!memcmp(all + i, from, n)) {
			memcpy(all + i, to, n);
			hits++;
		}
	rewind(f);
	bool good = fwrite(all, 1, size, f) == size && hits;
	return fclose(f) || !good;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "acts"))
		return make_acts(argv[2], strtoul(argv[3], NULL, 10));
	if (argc == 6 && !strcmp(argv[1], "close"))
		return compare_files(argv[2], argv[3], argv[4], atof(argv[5]));
	if (argc == 5 && !strcmp(argv[1], "edit"))
		return edit(argv[2], argv[3], argv[4]);
	if (argc == 5 && !strcmp(argv[1], "agree"))
		return compare_files(argv[2], argv[3], NULL, atof(argv[4]));
	if (argc == 6 && !strcmp(argv[1], "row"))
		return cut_row(argv[2], argv[3], argv[4], argv[5]);
	fputs("usage: tool acts OUT.acts N_TEXTS | tool close A B NAME TOLERANCE | tool agree A B TOLERANCE |"
	      " tool row A NAME I OUT | tool edit FILE FROM TO\n", stderr);
	return 2;
}
