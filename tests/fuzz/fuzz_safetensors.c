/* SPDX-License-Identifier: MIT */
/* fuzz_safetensors.c - any bytes as a tensor file, a store segment, labels and a vocabulary. */
#include "fuzz.h"

#include "base/buf.h"
#include "base/mem.h"
#include "core/labels.h"
#include "core/store.h"
#include "core/vocab.h"
#include "io/safetensors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile u64 sink; /* so that reads are not left out */

static void read_tensors(const struct safetensors *s)
{
	for (size_t i = 0; i < safetensors_count(s); i++) {
		const struct tensor *t = safetensors_at(s, i);
		for (u64 k = 0; k < MIN(t->n, 4096); k++) {
			f32 v = tensor_f32(t, k);
			sink += tensor_u64(t, k) + (v > 0);
		}
		if (t->n)
			sink += tensor_u64(t, t->n - 1);
		struct err e = {0};
		safetensors_need(s, t->name, 1u << DTYPE_F32, 2, (u64[]){3, TENSOR_ANY}, &e);
	}
}

static void read_store(const char *path)
{
	struct store *s = store_open(&path, 1, 3, NULL);
	if (!s)
		return;
	f32 act[16], edges[65];
	u64 counts[64], start, end;
	struct store_stats stats;
	struct store_context list[8];
	for (u32 f = 0; f < 4; f++) {
		store_stats(s, f, &stats);
		sink += store_histogram(s, f, edges, counts, 64) + stats.count;
		size_t n = store_contexts(s, f, list, ARRAY_LEN(list));
		for (size_t i = 0; i < MIN(n, ARRAY_LEN(list)); i++) {
			sink += store_token(s, list[i].position) + store_text_of(s, list[i].position, &start, &end);
			store_activations(s, f, list[i].position, list[i].position + 16, act);
		}
		store_activations(s, f, 0, 16, act);
	}
	store_free(s);
}

static void read_texts(const char *path)
{
	struct vocab *v = vocab_open(path, NULL);
	struct buf b = BUF_INIT;
	u32 tokens[64];
	for (u32 i = 0; i < ARRAY_LEN(tokens); i++)
		tokens[i] = i;
	if (v) {
		vocab_add_text(v, &b, tokens, ARRAY_LEN(tokens));
		sink += vocab_is_special(v, vocab_count(v) - 1);
	}
	vocab_free(v);
	struct labels *l = labels_open(path, 2, NULL);
	for (u64 i = 0; l && i < MIN(labels_count(l), 4096); i++) {
		struct label x;
		u64 first;
		labels_at(l, i, &x);
		buf_add(&b, x.text.p, MIN(x.text.n, 4096));
		if (x.feature >= 2)
			abort();
		sink += strlen(x.source) + labels_of(l, x.feature, &first);
	}
	labels_free(l);
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	char *path = xasprintf("/proc/self/fd/%d", fd);
	struct err e = {0};
	struct safetensors *s = safetensors_open(path, &e);
	if (s) {
		read_tensors(s);
		safetensors_free(s);
		read_store(path);
		read_texts(path);
	} else if (!*e.msg || !strstr(e.msg, path)) {
		abort(); /* an error that does not say what and where */
	}
	free(path);
	close(fd);
	return 0;
}
