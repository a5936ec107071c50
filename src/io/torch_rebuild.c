/* SPDX-License-Identifier: MIT */
/* torch_rebuild.c - tensors and plain values out of a pickle's calls (torch/_utils.py,
 * torch/serialization.py). */
#include "io/torch_rebuild.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const torch_calls[] = {
	"collections OrderedDict",
	"collections defaultdict",
	"torch._utils _rebuild_tensor",
	"torch._utils _rebuild_tensor_v2",
	"torch._utils _rebuild_tensor_v3",
	"torch._utils _rebuild_parameter",
	"torch._utils _rebuild_parameter_with_state",
	"torch._tensor _rebuild_from_type_v2",
	"torch Size",
	"torch device",
	"_codecs encode",
	"builtins set",
	"builtins frozenset",
	"__builtin__ set",
	"__builtin__ frozenset",
	"numpy dtype",
	"numpy.core.multiarray scalar",
	"numpy._core.multiarray scalar",
	"pathlib PosixPath",
	"pathlib PurePosixPath",
	"copyreg _reconstructor",
	"copy_reg _reconstructor",
	NULL,
};

static const struct {
	const char *storage, *name; /* the storage's class, and the dtype of newer files */
	enum dtype dtype;
} types[] = {
	{"FloatStorage", "float32", DTYPE_F32},
	{"DoubleStorage", "float64", DTYPE_F64},
	{"HalfStorage", "float16", DTYPE_F16},
	{"BFloat16Storage", "bfloat16", DTYPE_BF16},
	{"LongStorage", "int64", DTYPE_I64},
	{"IntStorage", "int32", DTYPE_I32},
	{"ShortStorage", "int16", DTYPE_I16},
	{"CharStorage", "int8", DTYPE_I8},
	{"ByteStorage", "uint8", DTYPE_U8},
	{"BoolStorage", "bool", DTYPE_BOOL},
	{"", "uint16", DTYPE_U16},
	{"", "uint32", DTYPE_U32},
	{"", "uint64", DTYPE_U64},
};

static int lies(const struct torch_file *f, const struct pickle_value *v, const char *why, struct err *e)
{
	return err_set(e, ERR_DAMAGED, "%s: the tensor at byte %u %s", f->what, v->offset, why);
}

static bool calls(const struct pickle_value *v, const char *name)
{
	return v->kind == PICKLE_CALL && pickle_is_global(v->call.callee, name);
}

static const struct pickle_value *arg(const struct pickle_value *v, size_t i)
{
	const struct pickle_value *args = v->call.args;
	return args && args->kind == PICKLE_TUPLE && i < args->n_items ? args->items[i] : NULL;
}

const struct pickle_value *torch_unwrap(const struct pickle_value *v)
{
	/* a Parameter of a Parameter is legal; a ring of them is not: torch makes two at most */
	for (int i = 0; i < 4; i++) {
		const struct pickle_value *first = v->kind == PICKLE_CALL ? arg(v, 0) : NULL,
					  *args = first ? arg(v, 2) : NULL;
		if (first &&
		    (calls(v, "torch._utils _rebuild_parameter") ||
		     calls(v, "torch._utils _rebuild_parameter_with_state") || calls(v, "torch Size") ||
		     calls(v, "builtins set") || calls(v, "builtins frozenset") ||
		     calls(v, "__builtin__ set") || calls(v, "__builtin__ frozenset")))
			v = first;
		else if (args && calls(v, "torch._tensor _rebuild_from_type_v2") &&
			 args->kind == PICKLE_TUPLE && args->n_items &&
			 pickle_is_global(first, "torch._utils _rebuild_parameter"))
			v = args->items[0];
		else
			break;
	}
	return v;
}

static bool whole(const struct pickle_value *v, u64 *out)
{
	if (!v || v->kind != PICKLE_INT || v->i < 0)
		return false;
	*out = (u64)v->i;
	return true;
}

/* A tuple of numbers from 0 on into out; how many, or -1. */
static int numbers(const struct pickle_value *v, u64 out[TENSOR_MAX_DIMS])
{
	v = v ? torch_unwrap(v) : NULL;
	if (!v || (v->kind != PICKLE_TUPLE && v->kind != PICKLE_LIST) || v->n_items > TENSOR_MAX_DIMS)
		return -1;
	for (size_t i = 0; i < v->n_items; i++)
		if (!whole(v->items[i], &out[i]))
			return -1;
	return (int)v->n_items;
}

static bool is_named(const struct pickle_value *global, const char *name)
{
	const struct span *s = &global->global.name;
	return s->n && s->n == strlen(name) && !memcmp(s->p, name, s->n);
}

static bool is_torch(const struct pickle_value *v)
{
	return v && v->kind == PICKLE_GLOBAL && v->global.module.n >= 5 &&
	       !memcmp(v->global.module.p, "torch", 5) &&
	       (v->global.module.n == 5 || v->global.module.p[5] == '.');
}

static int find_type(const struct pickle_value *global, bool storage, enum dtype *out)
{
	for (size_t i = 0; is_torch(global) && i < ARRAY_LEN(types); i++) {
		if (!is_named(global, storage ? types[i].storage : types[i].name))
			continue;
		*out = types[i].dtype;
		return 0;
	}
	return -1;
}

static int unknown_type(const struct torch_file *f, const struct pickle_value *v,
			const struct pickle_value *type, struct err *e)
{
	char why[120];
	if (!type || type->kind != PICKLE_GLOBAL)
		return lies(f, v, "has no storage type", e);
	snprintf(why, sizeof why, "is of '%.*s', which is not read here", (int)MIN(type->global.name.n, 60),
		 type->global.name.p);
	return lies(f, v, why, e);
}

/* ('storage', class, key, where, count): the entry, and how many elements it holds by the pickle's account.
 */
static int find_storage(const struct torch_file *f, const struct pickle_value *v,
			const struct pickle_value *storage, const struct pickle_value *dtype,
			struct tensors_item *item, u64 *n, struct err *e)
{
	if (!storage || storage->kind != PICKLE_PERSISTENT || !arg(storage, 4) ||
	    arg(storage, 0)->kind != PICKLE_TEXT || !pickle_is_text(arg(storage, 0), "storage") ||
	    arg(storage, 2)->kind != PICKLE_TEXT || !whole(arg(storage, 4), n))
		return lies(f, v, "has no storage as torch.save describes it", e);
	const struct pickle_value *type = dtype ? dtype : arg(storage, 1);
	if (find_type(type, !dtype, &item->t.dtype))
		return unknown_type(f, v, type, e);
	u64 size = dtype_size(item->t.dtype), bytes;
	struct span key = arg(storage, 2)->s;
	char *entry = xasprintf("%s/data/%.*s", f->folder, (int)MIN(key.n, 200), key.p), why[160];
	bool found = zip_find(f->s->zip, entry, &item->entry);
	free(entry);
	if (!found) {
		snprintf(why, sizeof why, "has its numbers in storage '%.*s', which is not in the file",
			 (int)MIN(key.n, 60), key.p);
		return lies(f, v, why, e);
	}
	u64 have = zip_at(f->s->zip, item->entry)->size;
	/* an untyped storage counts bytes */
	if (__builtin_mul_overflow(*n, dtype ? 1 : size, &bytes) || bytes != have) {
		snprintf(why, sizeof why, "has storage '%.*s' of %llu bytes, which is not what it declares",
			 (int)MIN(key.n, 60), key.p, (unsigned long long)have);
		return lies(f, v, why, e);
	}
	*n = bytes / size;
	return 0;
}

/* Every element lies within the storage's n. */
static int check_bounds(const struct torch_file *f, const struct pickle_value *v,
			const struct tensors_item *item, u64 first, u64 n, struct err *e)
{
	const struct tensor *t = &item->t;
	u64 last = first, step;
	bool fits = true;
	for (int i = 0; i < t->n_dims && t->n; i++)
		fits &= !__builtin_mul_overflow(t->shape[i] - 1, item->strides[i], &step) &&
			!__builtin_add_overflow(last, step, &last);
	if (!fits || (t->n ? last >= n : first > n))
		return lies(f, v, "has an offset, shape or stride that leads out of its storage", e);
	return 0;
}

static int read_tensor(const struct torch_file *f, const struct pickle_value *v, bool v3,
		       struct tensors_item *item, struct err *e)
{
	u64 n, first, size;
	const struct pickle_value *dtype = v3 ? arg(v, 6) : NULL;
	*item = (struct tensors_item){.t.n = 1};
	if (v3 && !dtype)
		return lies(f, v, "has no dtype", e);
	if (find_storage(f, v, arg(v, 0), dtype, item, &n, e))
		return -1;
	if (!whole(arg(v, 1), &first))
		return lies(f, v, "has a storage offset that is no number from 0 on", e);
	item->t.n_dims = numbers(arg(v, 2), item->t.shape);
	if (item->t.n_dims < 0)
		return lies(f, v, "has a shape that is no tuple of at most 8 numbers from 0 on", e);
	if (numbers(arg(v, 3), item->strides) != item->t.n_dims)
		return lies(f, v, "has strides that are no tuple of as many numbers as its shape", e);
	bool fits = true;
	for (int i = 0; i < item->t.n_dims; i++)
		fits &= !__builtin_mul_overflow(item->t.n, item->t.shape[i], &item->t.n);
	if (!fits || __builtin_mul_overflow(item->t.n, dtype_size(item->t.dtype), &size) ||
	    size > (u64)INT64_MAX)
		return lies(f, v, "has a shape too large to be true", e);
	if (check_bounds(f, v, item, first, n, e))
		return -1;
	item->offset = first * dtype_size(item->t.dtype);
	item->c_order = tensors_is_c_order(&item->t, item->strides);
	tensors_place(f->s, item);
	return 1;
}

int torch_tensor(const struct torch_file *f, const struct pickle_value *v, struct tensors_item *item,
		 struct err *e)
{
	v = torch_unwrap(v);
	bool v3 = calls(v, "torch._utils _rebuild_tensor_v3");
	if (v->kind == PICKLE_PERSISTENT)
		return lies(f, v, "is a bare storage, without a shape", e);
	if (!v3 && !calls(v, "torch._utils _rebuild_tensor_v2") && !calls(v, "torch._utils _rebuild_tensor"))
		return 0;
	return read_tensor(f, v, v3, item, e);
}

static json_t *real(f64 v)
{
	if (isnan(v))
		return json_string("nan");
	return isinf(v) ? json_string(v > 0 ? "inf" : "-inf") : json_real(v);
}

static json_t *global_name(const struct pickle_value *v)
{
	struct buf b = BUF_INIT;
	buf_add(&b, v->global.module.p, v->global.module.n);
	buf_addc(&b, '.');
	buf_add(&b, v->global.name.p, v->global.name.n);
	json_t *j = json_text(b.s, b.n);
	buf_release(&b);
	return j;
}

/* Up to 8 bytes that protocol 2 writes as text of code points below 256. */
static size_t scalar_bytes(const struct pickle_value *v, u8 out[8])
{
	if (calls(v, "_codecs encode"))
		v = arg(v, 0);
	if (!v || (v->kind != PICKLE_TEXT && v->kind != PICKLE_BYTES))
		return 0;
	size_t n = 0;
	for (size_t i = 0; i < v->s.n; i++) {
		u8 c = v->s.p[i];
		bool two = v->kind == PICKLE_TEXT && c >= 0x80;
		if (n == 8 || (two && (c > 0xc3 || i + 1 == v->s.n)))
			return 0;
		out[n++] = two ? (u8)((c & 3) << 6 | (v->s.p[++i] & 0x3f)) : c;
	}
	return n;
}

/* numpy's scalar(dtype('f4'), bytes). */
static json_t *numpy_scalar(const struct pickle_value *v)
{
	static const struct {
		const char *name;
		enum dtype dtype;
	} known[] = {{"f2", DTYPE_F16}, {"f4", DTYPE_F32}, {"f8", DTYPE_F64}, {"i1", DTYPE_I8},
		     {"i2", DTYPE_I16}, {"i4", DTYPE_I32}, {"i8", DTYPE_I64}, {"u1", DTYPE_U8},
		     {"u2", DTYPE_U16}, {"u4", DTYPE_U32}, {"u8", DTYPE_U64}, {"b1", DTYPE_BOOL}};
	const struct pickle_value *type = arg(v, 0), *data = arg(v, 1), *name, *state;
	u8 bytes[8] = {0};
	if (!type || !data || !calls(type, "numpy dtype") || !(name = arg(type, 0)))
		return NULL;
	state = type->call.state;
	if (state &&
	    (state->kind != PICKLE_TUPLE || state->n_items < 2 || pickle_is_text(state->items[1], ">")))
		return NULL;
	size_t n = scalar_bytes(data, bytes);
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct tensor t = {.dtype = known[i].dtype, .n = 1, .data = {bytes, n}};
		if (!pickle_is_text(name, known[i].name) || n != dtype_size(t.dtype))
			continue;
		f64 wide;
		memcpy(&wide, bytes, 8);
		if (t.dtype == DTYPE_F64)
			return real(wide);
		if (t.dtype == DTYPE_BOOL)
			return json_boolean(bytes[0]);
		return t.dtype == DTYPE_F16 || t.dtype == DTYPE_F32
			       ? real((f64)tensor_f32(&t, 0))
			       : json_integer((json_int_t)tensor_u64(&t, 0));
	}
	return NULL;
}

/* device('cuda', 0) as "cuda:0", PosixPath('a', 'b') as "a/b". */
static json_t *joined(const struct pickle_value *v, char with)
{
	struct buf b = BUF_INIT;
	for (size_t i = 0; arg(v, i); i++) {
		const struct pickle_value *x = arg(v, i);
		if (i && !(b.n == 1 && b.s[0] == '/'))
			buf_addc(&b, with);
		if (x->kind == PICKLE_TEXT)
			buf_add(&b, x->s.p, x->s.n);
		else if (x->kind == PICKLE_INT)
			buf_addf(&b, "%lld", (long long)x->i);
	}
	json_t *j = json_text(b.s, b.n);
	buf_release(&b);
	return j;
}

json_t *torch_plain(const struct pickle_value *v)
{
	switch (v->kind) {
	case PICKLE_NONE:
	case PICKLE_BIG:
		return json_null();
	case PICKLE_BOOL:
		return json_boolean(v->b);
	case PICKLE_INT:
		return json_integer(v->i);
	case PICKLE_FLOAT:
		return real(v->f);
	case PICKLE_TEXT:
	case PICKLE_BYTES:
		return json_text((const char *)v->s.p, v->s.n);
	case PICKLE_GLOBAL:
		return global_name(v);
	case PICKLE_CALL:
		if (calls(v, "torch device"))
			return joined(v, ':');
		if (calls(v, "pathlib PosixPath") || calls(v, "pathlib PurePosixPath"))
			return joined(v, '/');
		if (calls(v, "numpy.core.multiarray scalar") || calls(v, "numpy._core.multiarray scalar"))
			return numpy_scalar(v);
		if (calls(v, "numpy dtype") || calls(v, "_codecs encode"))
			return json_null();
		return NULL;
	default:
		return NULL;
	}
}
