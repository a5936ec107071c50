/* SPDX-License-Identifier: MIT */
/* pickle.c - a stack machine whose opcodes only build descriptions. */
#include "io/pickle.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "io/pickle_ops.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 256 };

struct chunk {
	struct chunk *next;
	struct pickle_value values[CHUNK];
};

struct pickle {
	struct chunk *chunks; /* the newest first */
	size_t n_values;
	const struct pickle_value *root;
};

struct machine {
	struct pickle *p;
	struct span data;
	const char *what;
	const char *const *calls;
	struct err *e;
	size_t at, op; /* the next byte; the current opcode's */
	const char *op_name;
	struct pickle_value **stack;
	size_t n, cap;
	size_t *marks; /* heights of the stack */
	size_t n_marks, cap_marks;
	struct pickle_value **memo;
	size_t n_memo, cap_memo;
};

static int refuse(struct machine *m, const char *why)
{
	return err_set(m->e, ERR_DAMAGED, "%s: opcode %s at byte %zu %s", m->what, m->op_name, m->op, why);
}

static struct pickle_value *new_value(struct machine *m, enum pickle_kind kind)
{
	struct pickle *p = m->p;
	if (p->n_values == PICKLE_MAX_VALUES) {
		refuse(m, "makes more values than are read here");
		return NULL;
	}
	if (p->n_values % CHUNK == 0) {
		struct chunk *c = xcalloc(1, sizeof *c);
		c->next = p->chunks;
		p->chunks = c;
	}
	struct pickle_value *v = &p->chunks->values[p->n_values++ % CHUNK];
	v->kind = kind;
	v->offset = (u32)m->op;
	v->items_are_pairs = kind == PICKLE_DICT;
	return v;
}

static int push(struct machine *m, struct pickle_value *v)
{
	if (!v)
		return -1;
	if (m->n == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 64;
		m->stack = xreallocarray(m->stack, m->cap, sizeof *m->stack);
	}
	m->stack[m->n++] = v;
	return 0;
}

/* How many values lie above the last mark, or above the bottom. */
static size_t height(const struct machine *m)
{
	return m->n - (m->n_marks ? m->marks[m->n_marks - 1] : 0);
}

static struct pickle_value *pop(struct machine *m)
{
	if (!height(m)) {
		refuse(m, "finds the stack empty");
		return NULL;
	}
	return m->stack[--m->n];
}

/* Takes the last mark away: the values above it are stack[*from .. n). */
static int pop_mark(struct machine *m, size_t *from)
{
	if (!m->n_marks)
		return refuse(m, "finds no mark");
	*from = m->marks[--m->n_marks];
	return 0;
}

static void add_items(struct pickle_value *to, struct pickle_value **v, size_t n)
{
	if (n > to->cap - to->n_items) {
		to->cap = (u32)MAX(2 * (size_t)to->cap, to->n_items + n);
		to->items = xreallocarray(to->items, to->cap, sizeof *to->items);
	}
	for (size_t i = 0; i < n; i++)
		to->items[to->n_items++] = v[i];
}

/* The n topmost values become one tuple. */
static int make_tuple(struct machine *m, size_t n)
{
	if (height(m) < n)
		return refuse(m, "finds too few values on the stack");
	struct pickle_value *t = new_value(m, PICKLE_TUPLE);
	if (!t)
		return -1;
	if (n)
		add_items(t, m->stack + m->n - n, n);
	m->n -= n;
	return push(m, t);
}

/* What lies above the mark goes into the container below it. */
static int extend(struct machine *m, size_t from, enum pickle_kind kind)
{
	size_t n = m->n - from;
	m->n = from;
	struct pickle_value *to = pop(m);
	if (!to)
		return -1;
	m->n++;
	bool pairs = kind == PICKLE_DICT, subclass = (to->kind == PICKLE_CALL || to->kind == PICKLE_OBJECT) &&
						     (!to->n_items || to->items_are_pairs == pairs);
	if (to->kind != kind && !(subclass && kind != PICKLE_SET))
		return refuse(m, "adds to what holds no such items");
	if (pairs && n % 2)
		return refuse(m, "finds a key without a value");
	to->items_are_pairs = pairs;
	if (n)
		add_items(to, m->stack + from, n);
	return 0;
}

static int run_mark(struct machine *m)
{
	if (m->n_marks == m->cap_marks) {
		m->cap_marks = m->cap_marks ? 2 * m->cap_marks : 64;
		m->marks = xreallocarray(m->marks, m->cap_marks, sizeof *m->marks);
	}
	m->marks[m->n_marks++] = m->n;
	return 0;
}

static int run_memo(struct machine *m, u64 i)
{
	if (!height(m))
		return refuse(m, "finds the stack empty");
	if (i >= PICKLE_MAX_VALUES)
		return refuse(m, "remembers more values than are read here");
	if (i >= m->cap_memo) {
		size_t cap = MAX(2 * m->cap_memo, (size_t)i + 64);
		m->memo = xreallocarray(m->memo, cap, sizeof *m->memo);
		memset(m->memo + m->cap_memo, 0, (cap - m->cap_memo) * sizeof *m->memo);
		m->cap_memo = cap;
	}
	m->n_memo += !m->memo[i];
	m->memo[i] = m->stack[m->n - 1];
	return 0;
}

static int run_get(struct machine *m, u64 i)
{
	if (i >= m->cap_memo || !m->memo[i])
		return refuse(m, "asks for a value that was not remembered");
	return push(m, m->memo[i]);
}

static int push_bool(struct machine *m, bool b)
{
	struct pickle_value *v = new_value(m, PICKLE_BOOL);
	if (v)
		v->b = b;
	return push(m, v);
}

static int push_int(struct machine *m, i64 i)
{
	struct pickle_value *v = new_value(m, PICKLE_INT);
	if (v)
		v->i = i;
	return push(m, v);
}

static int run_long(struct machine *m, struct span s)
{
	u64 v = s.n && s.p[s.n - 1] & 0x80 ? UINT64_MAX : 0;
	if (s.n > 8)
		return push(m, new_value(m, PICKLE_BIG));
	for (size_t i = s.n; i-- > 0;)
		v = v << 8 | s.p[i];
	return push_int(m, (i64)v);
}

static int run_float(struct machine *m, struct span s)
{
	struct pickle_value *v = new_value(m, PICKLE_FLOAT);
	u64 bits = 0;
	for (size_t i = 0; i < 8; i++) /* big-endian */
		bits = bits << 8 | s.p[i];
	if (v)
		memcpy(&v->f, &bits, 8);
	return push(m, v);
}

static int push_span(struct machine *m, enum pickle_kind kind, struct span s)
{
	if (kind == PICKLE_TEXT && !utf8_is_valid((const char *)s.p, s.n))
		return refuse(m, "has text that is not UTF-8");
	struct pickle_value *v = new_value(m, kind);
	if (v)
		v->s = s;
	return push(m, v);
}

static int push_global(struct machine *m, struct span module, struct span name)
{
	if (!module.n || module.n > 200 || !name.n || name.n > 200)
		return refuse(m, "has no name of a global");
	struct pickle_value *v = new_value(m, PICKLE_GLOBAL);
	if (v) {
		v->global.module = module;
		v->global.name = name;
	}
	return push(m, v);
}

static bool take_line(struct machine *m, struct span *out)
{
	const u8 *from = m->data.p + m->at, *end = memchr(from, '\n', m->data.n - m->at);
	*out = (struct span){from, end ? (size_t)(end - from) : 0};
	m->at += out->n + 1;
	return end && utf8_is_valid((const char *)out->p, out->n);
}

static int run_global(struct machine *m)
{
	struct span module, name;
	if (!take_line(m, &module) || !take_line(m, &name))
		return refuse(m, "has no name of a global");
	return push_global(m, module, name);
}

static int run_stack_global(struct machine *m)
{
	struct pickle_value *name = pop(m), *module = name ? pop(m) : NULL;
	if (!module)
		return -1;
	if (name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT)
		return refuse(m, "has no name of a global");
	return push_global(m, module->s, name->s);
}

static bool may_call(const struct machine *m, const struct pickle_value *f)
{
	for (size_t i = 0; m->calls[i]; i++)
		if (pickle_is_global(f, m->calls[i]))
			return true;
	return false;
}

/* A call or an object: args and callee from the stack. */
static int run_call(struct machine *m, enum pickle_kind kind)
{
	struct pickle_value *args = pop(m), *f = args ? pop(m) : NULL, *v;
	if (!f)
		return -1;
	if (args->kind != PICKLE_TUPLE || f->kind != PICKLE_GLOBAL)
		return refuse(m, "has no name to call, or no arguments");
	if (kind == PICKLE_CALL && !may_call(m, f))
		return err_set(m->e, ERR_DAMAGED,
			       "%s: opcode %s at byte %zu would call '%.*s.%.*s', which rebuilds no tensor: "
			       "refused, and nothing "
			       "was run",
			       m->what, m->op_name, m->op, (int)MIN(f->global.module.n, 80),
			       f->global.module.p, (int)MIN(f->global.name.n, 80), f->global.name.p);
	if (!(v = new_value(m, kind)))
		return -1;
	v->call.callee = f;
	v->call.args = args;
	return push(m, v);
}

static int run_newobj_ex(struct machine *m)
{
	struct pickle_value *keywords = pop(m);
	if (!keywords)
		return -1;
	if (keywords->kind != PICKLE_DICT || keywords->n_items)
		return refuse(m, "has arguments by name, which are not read here");
	return run_call(m, PICKLE_OBJECT);
}

static int run_build(struct machine *m)
{
	struct pickle_value *state = pop(m), *v = state ? pop(m) : NULL;
	if (!v)
		return -1;
	if ((v->kind != PICKLE_CALL && v->kind != PICKLE_OBJECT) || v->call.state)
		return refuse(m, "gives a state to what has none");
	v->call.state = state;
	return push(m, v);
}

static int run_persistent(struct machine *m)
{
	struct pickle_value *id = pop(m), *v = id ? new_value(m, PICKLE_PERSISTENT) : NULL;
	if (v)
		v->call.args = id;
	return push(m, v);
}

static int run_stop(struct machine *m)
{
	if (m->n != 1 || m->n_marks)
		return refuse(m, "ends with other than one value on the stack");
	if (m->at != m->data.n)
		return refuse(m, "is followed by more bytes");
	m->p->root = m->stack[0];
	return 0;
}

static int run_pop_mark(struct machine *m, size_t from)
{
	m->n = from;
	return 0;
}

static int run_add_one(struct machine *m, size_t n, enum pickle_kind kind)
{
	if (height(m) < n + 1)
		return refuse(m, "finds too few values on the stack");
	return extend(m, m->n - n, kind);
}

static int run_frozenset(struct machine *m, size_t from)
{
	if (make_tuple(m, m->n - from))
		return -1;
	m->stack[m->n - 1]->kind = PICKLE_SET;
	return 0;
}

/* arg: the number after the opcode, or the length of the payload. */
static int run(struct machine *m, enum pickle_op op, u64 arg, struct span payload)
{
	size_t from = 0;
	if (pickle_ops[op].pops_mark && pop_mark(m, &from))
		return -1;
	switch (op) {
	case OP_PROTO:
		return arg >= 2 && arg <= 5 && m->op == 0 ? 0
							  : refuse(m, "names a protocol other than 2 to 5");
	case OP_FRAME:
		return arg <= m->data.n - m->at ? 0 : refuse(m, "reaches beyond the end");
	case OP_STOP:
		return run_stop(m);
	case OP_MARK:
		return run_mark(m);
	case OP_POP:
		return pop(m) ? 0 : -1;
	case OP_POP_MARK:
		return run_pop_mark(m, from);
	case OP_NONE:
		return push(m, new_value(m, PICKLE_NONE));
	case OP_NEWTRUE:
	case OP_NEWFALSE:
		return push_bool(m, op == OP_NEWTRUE);
	case OP_BININT:
		return push_int(m, (i32)(u32)arg);
	case OP_BININT1:
	case OP_BININT2:
		return push_int(m, (i64)arg);
	case OP_LONG1:
	case OP_LONG4:
		return run_long(m, payload);
	case OP_BINFLOAT:
		return run_float(m, payload);
	case OP_SHORT_BINUNICODE:
	case OP_BINUNICODE:
	case OP_BINUNICODE8:
		return push_span(m, PICKLE_TEXT, payload);
	case OP_SHORT_BINBYTES:
	case OP_BINBYTES:
	case OP_BINBYTES8:
	case OP_SHORT_BINSTRING:
	case OP_BINSTRING:
		return push_span(m, PICKLE_BYTES, payload);
	case OP_EMPTY_TUPLE:
		return make_tuple(m, 0);
	case OP_TUPLE1:
		return make_tuple(m, 1);
	case OP_TUPLE2:
		return make_tuple(m, 2);
	case OP_TUPLE3:
		return make_tuple(m, 3);
	case OP_TUPLE:
		return make_tuple(m, m->n - from);
	case OP_EMPTY_LIST:
		return push(m, new_value(m, PICKLE_LIST));
	case OP_EMPTY_DICT:
		return push(m, new_value(m, PICKLE_DICT));
	case OP_EMPTY_SET:
		return push(m, new_value(m, PICKLE_SET));
	case OP_FROZENSET:
		return run_frozenset(m, from);
	case OP_APPEND:
		return run_add_one(m, 1, PICKLE_LIST);
	case OP_APPENDS:
		return extend(m, from, PICKLE_LIST);
	case OP_SETITEM:
		return run_add_one(m, 2, PICKLE_DICT);
	case OP_SETITEMS:
		return extend(m, from, PICKLE_DICT);
	case OP_ADDITEMS:
		return extend(m, from, PICKLE_SET);
	case OP_MEMOIZE:
		return run_memo(m, m->n_memo);
	case OP_BINPUT:
	case OP_LONG_BINPUT:
		return run_memo(m, arg);
	case OP_BINGET:
	case OP_LONG_BINGET:
		return run_get(m, arg);
	case OP_GLOBAL:
		return run_global(m);
	case OP_STACK_GLOBAL:
		return run_stack_global(m);
	case OP_REDUCE:
		return run_call(m, PICKLE_CALL);
	case OP_NEWOBJ:
		return run_call(m, PICKLE_OBJECT);
	case OP_NEWOBJ_EX:
		return run_newobj_ex(m);
	case OP_BUILD:
		return run_build(m);
	case OP_BINPERSID:
		return run_persistent(m);
	default:
		return refuse(m, "is not one that torch.save needs: refused, and nothing was run");
	}
}

/* One opcode: its name, the number after it, the payload of that length; then what it does. */
static int step(struct machine *m)
{
	u64 arg = 0;
	m->op = m->at++;
	u8 op = m->data.p[m->op];
	char unknown[8];
	snprintf(unknown, sizeof unknown, "0x%02x", op);
	m->op_name = pickle_ops[op].name ? pickle_ops[op].name : unknown;
	if ((m->op == 0) != (op == OP_PROTO))
		return refuse(m,
			      m->op ? "is not at the beginning" : "begins it, and not the protocol's number");
	size_t width = pickle_ops[op].width;
	if (width > m->data.n - m->at)
		return refuse(m, "is cut short");
	memcpy(&arg, m->data.p + m->at, width); /* little-endian */
	m->at += width;
	struct span payload = {m->data.p + m->at, op == OP_BINFLOAT ? 8 : 0};
	if (pickle_ops[op].counted)
		payload.n = (size_t)arg;
	if (payload.n > m->data.n - m->at)
		return refuse(m, "is cut short");
	m->at += payload.n;
	return run(m, (enum pickle_op)op, arg, payload);
}

struct pickle *pickle_parse(struct span data, const char *what, const char *const *calls, struct err *e)
{
	if (data.n > PICKLE_MAX_BYTES) {
		err_set(e, ERR_DAMAGED, "%s is longer than %d MiB", what, PICKLE_MAX_BYTES >> 20);
		return NULL;
	}
	struct machine m = {.p = xcalloc(1, sizeof *m.p), .data = data, .what = what, .calls = calls, .e = e};
	int r = 0;
	while (!r && !m.p->root)
		r = m.at < data.n ? step(&m)
				  : err_set(e, ERR_DAMAGED, "%s is cut short: it has no end", what);
	free(m.stack);
	free(m.marks);
	free(m.memo);
	if (r) {
		pickle_free(m.p);
		return NULL;
	}
	return m.p;
}

void pickle_free(struct pickle *p)
{
	if (!p)
		return;
	for (struct chunk *c = p->chunks, *next; c; c = next) {
		next = c->next;
		for (size_t i = 0; i < CHUNK; i++)
			free(c->values[i].items);
		free(c);
	}
	free(p);
}

const struct pickle_value *pickle_root(const struct pickle *p)
{
	return p->root;
}

static bool equal(struct span s, const char *text, size_t n)
{
	return s.n == n && !memcmp(s.p, text, n);
}

bool pickle_is_global(const struct pickle_value *v, const char *module_and_name)
{
	const char *space = strchr(module_and_name, ' ');
	assert(space);
	return v->kind == PICKLE_GLOBAL &&
	       equal(v->global.module, module_and_name, (size_t)(space - module_and_name)) &&
	       equal(v->global.name, space + 1, strlen(space + 1));
}

bool pickle_is_text(const struct pickle_value *v, const char *s)
{
	return v->kind == PICKLE_TEXT && equal(v->s, s, strlen(s));
}
