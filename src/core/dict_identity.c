/* SPDX-License-Identifier: MIT */
/* dict_identity.c - what tells one dictionary from another without reading it. */
#include "base/mem.h"
#include "base/sha256.h"
#include "core/dict_impl.h"

#include <stdlib.h>
#include <sys/stat.h>

static void add_names(struct buf *b, const struct tensors *f)
{
	for (size_t i = 0; i < tensors_count(f); i++) {
		const struct tensor *t = tensors_at(f, i);
		buf_addf(b, "%s %s", t->name, dtype_name(t->dtype));
		for (int k = 0; k < t->n_dims; k++)
			buf_addf(b, " %llu", (unsigned long long)t->shape[k]);
		buf_addc(b, '\n');
	}
}

int dict_identity(const struct dict *d, struct dict_identity *out, struct err *e)
{
	const struct dict_plan *p = &d->plan;
	struct buf b = BUF_INIT;
	*out = (struct dict_identity){0};
	for (size_t i = 0; i < ARRAY_LEN(p->files) && p->files[i]; i++) {
		struct stat st;
		if (stat(tensors_path(p->files[i]), &st)) {
			buf_release(&b);
			return err_os(e, "cannot open '%s'", tensors_path(p->files[i]));
		}
		out->bytes += (u64)st.st_size;
		out->mtime = MAX(out->mtime, (i64)st.st_mtime);
		add_names(&b, p->files[i]);
	}
	if (p->config)
		json_add_line(&b, p->config);
	sha256_bytes(b.s, b.n, out->header);
	buf_release(&b);
	/* the path resolved: of a link into a store of blobs, the blob's */
	out->weights = realpath(tensors_path(p->files[0]), NULL);
	return out->weights ? 0 : err_os(e, "cannot open '%s'", tensors_path(p->files[0]));
}

void dict_identity_release(struct dict_identity *i)
{
	free(i->weights);
	i->weights = NULL;
}
