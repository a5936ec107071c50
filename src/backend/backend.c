/* SPDX-License-Identifier: MIT */
/* backend.c - which module to run, its start, state and end. */
#include "config.h"

#include "backend/client.h"

#include "base/mem.h"
#include "base/xdg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char default_model[] = "models/SmolLM2-135M-Instruct-BF16.gguf";

enum { MAX_FOLDERS = 3 };

/* The folders that hold modules, in the order in which they are looked through: the person's, that of the
 * installation, and where the program itself stands, for a build that is not installed.  own: its memory. */
static size_t module_folders(const char *out[MAX_FOLDERS], char own[4096])
{
	const char *given = getenv("FEATLAS_BACKEND_DIR");
	size_t n = 0;
	ssize_t len = readlink("/proc/self/exe", own, 4095);
	own[len > 0 ? len : 0] = 0;
	char *slash = strrchr(own, '/');
	if (slash)
		*slash = 0;
	if (given && *given)
		out[n++] = given;
	out[n++] = PKGLIBEXECDIR;
	if (*own)
		out[n++] = own;
	return n;
}

/* Joined, owned: as a PATH, or as words. */
static char *all_folders(const char *between)
{
	const char *folders[MAX_FOLDERS];
	char own[4096];
	struct buf b = BUF_INIT;
	size_t n = module_folders(folders, own);
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%s", i ? between : "", folders[i]);
	return buf_take(&b);
}

/* For what a module starts in its turn. */
static char *module_path(void)
{
	char *folders = all_folders(":"), *path = getenv("PATH");
	char *all = xasprintf("%s:%s", folders, path ? path : "/usr/bin:/bin");
	free(folders);
	return all;
}

/* The program of a module known by name, owned; NULL if there is none. */
static char *find_module(const char *name, size_t n)
{
	const char *folders[MAX_FOLDERS];
	char own[4096];
	size_t n_folders = module_folders(folders, own);
	for (size_t i = 0; i < n_folders; i++) {
		char *path = xasprintf("%s/featlas-%.*s", folders[i], (int)n, name);
		if (!access(path, X_OK))
			return path;
		free(path);
	}
	return NULL;
}

static char **make_argv(char *a, char *b, char *c)
{
	char **argv = xcalloc(4, sizeof *argv);
	argv[0] = a;
	argv[1] = b;
	argv[2] = c;
	return argv;
}

static void say_missing(const char *name, bool llama, struct err *e)
{
	char *folders = all_folders(" or ");
	err_set(e, ERR_UNAVAILABLE, "there is no backend module '%s': no featlas-%s in %s%s", name, name, folders,
		llama ? "; './bootstrap' builds featlas with it" : "");
	free(folders);
}

/* "NAME" or "NAME:MODEL". */
static int resolve_name(struct backend *b, const char *spec, size_t n, struct err *e)
{
	bool llama = n == 5 && !strncmp(spec, "llama", 5);
	char *model = spec[n] == ':' ? xstrdup(spec + n + 1) : llama ? xdg_data(default_model) : NULL;
	char *program = find_module(spec, n);
	b->name = xstrndup(spec, n);
	if (!program)
		say_missing(b->name, llama, e);
	else if (llama && !model)
		err_set(e, ERR_UNAVAILABLE,
			"no model is named, and $HOME is not set; give --backend llama:MODEL.gguf");
	else if (model && access(model, R_OK))
		err_set(e, ERR_UNAVAILABLE,
			"there is no model at '%s'; './bootstrap model' gets it, or give --backend "
			"llama:MODEL.gguf",
			model);
	else {
		b->argv = make_argv(program, model ? xstrdup("-m") : NULL, model);
		return 0;
	}
	free(program);
	free(model);
	return -1;
}

static int resolve(struct backend *b, const char *spec, struct err *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	if (!spec || !*spec)
		spec = getenv("FEATLAS_BACKEND");
	if (!spec || !*spec)
		spec = "llama";
	size_t n = strspn(spec, letters);
	if (n && (!spec[n] || spec[n] == ':'))
		return resolve_name(b, spec, n, e);
	/* the first word, without its folder, is name enough */
	n = strcspn(spec, " ");
	size_t start = n;
	while (start && spec[start - 1] != '/')
		start--;
	b->name = xstrndup(spec + start, n - start);
	b->argv = make_argv(xstrdup("/bin/sh"), xstrdup("-c"), xstrdup(spec));
	return 0;
}

static u64 timeout_ms(void)
{
	const char *s = getenv("FEATLAS_BACKEND_TIMEOUT");
	char *end;
	f64 t = s ? strtod(s, &end) : 0;
	return s && end != s && t > 0 && t < 1e6 ? (u64)(t * 1000) : 120000;
}

struct backend *backend_new(const char *spec, struct err *e)
{
	struct backend *b = xcalloc(1, sizeof *b);
	b->stop.fd = -1;
	b->path = module_path();
	b->timeout_ms = timeout_ms();
	atomic_init(&b->state, BACKEND_OFF);
	if (!resolve(b, spec, e) && !rpc_stop_init(&b->stop, e))
		return b;
	backend_free(b);
	return NULL;
}

static void forget_encoders(struct backend *b)
{
	for (size_t i = 0; i < b->n_encoders; i++)
		free(b->encoders[i].hook);
	b->n_encoders = 0;
}

void backend_free(struct backend *b)
{
	if (!b)
		return;
	rpc_free(b->rpc);
	rpc_stop_release(&b->stop);
	forget_encoders(b);
	json_decref(b->capabilities);
	for (size_t i = 0; b->argv && b->argv[i]; i++)
		free(b->argv[i]);
	free(b->argv);
	free(b->path);
	free(b->name);
	free(b);
}

enum backend_state backend_state(const struct backend *b)
{
	return (enum backend_state)atomic_load(&b->state);
}

void backend_words(const struct backend *b, char *out, size_t size)
{
	u64 done = atomic_load(&b->done), total = atomic_load(&b->total);
	unsigned restarts = atomic_load(&b->restarts);
	switch (backend_state(b)) {
	case BACKEND_OFF:
		snprintf(out, size, "%s off", b->name);
		break;
	case BACKEND_LOADING:
		if (total)
			snprintf(out, size, "%s loading %.0f %%", b->name, 100.0 * (f64)done / (f64)total);
		else
			snprintf(out, size, "%s loading", b->name);
		break;
	case BACKEND_READY:
		snprintf(out, size, "%s ready", b->name);
		break;
	case BACKEND_BUSY:
		if (total)
			snprintf(out, size, "%s busy %llu/%llu", b->name, (unsigned long long)done,
				 (unsigned long long)total);
		else
			snprintf(out, size, "%s busy", b->name);
		break;
	case BACKEND_DIED:
		if (restarts)
			snprintf(out, size, "%s died %u times", b->name, restarts + 1);
		else
			snprintf(out, size, "%s died", b->name);
		break;
	}
}

void backend_cancel(struct backend *b)
{
	rpc_poke(&b->stop);
}

void backend_watch(struct backend *b, struct progress *p)
{
	b->stop.watch = p;
}

const struct backend_info *backend_info(const struct backend *b)
{
	return &b->info;
}

/* One call's notifications: progress here, the rest to fn. */
struct listener {
	struct backend *b;
	struct progress *progress;
	rpc_notify_fn fn;
	void *context;
};

static int listen(void *context, const char *method, const json_t *params, const struct frame *f,
		  struct err *e)
{
	struct listener *l = context;
	if (!strcmp(method, "progress")) {
		u64 done = json_opt_u64(params, "done", 0), total = json_opt_u64(params, "total", 0);
		atomic_store(&l->b->done, MIN(done, total));
		atomic_store(&l->b->total, total);
		if (l->progress) {
			atomic_store(&l->progress->total, total);
			atomic_store(&l->progress->done, MIN(done, total));
		}
	} else if (l->fn) {
		int r = l->fn(l->context, method, params, f, e);
		if (r)
			return r;
	}
	return progress_cancelled(l->progress);
}

/* A module that died is taken away; the next request starts another. */
static int settle(struct backend *b, int bad)
{
	if (rpc_is_dead(b->rpc)) {
		rpc_free(b->rpc);
		b->rpc = NULL;
		b->ready = false;
		b->verdict_key[0] = 0;
		atomic_store(&b->foreign, false);
		forget_encoders(b);
	}
	atomic_store(&b->state, !b->rpc ? BACKEND_DIED : b->ready ? BACKEND_READY : BACKEND_OFF);
	return bad;
}

static void set_busy(struct backend *b, enum backend_state state)
{
	atomic_store(&b->done, 0);
	atomic_store(&b->total, 0);
	atomic_store(&b->state, state);
	atomic_store(&b->stop.wanted, false);
}

/* A string member into a fixed field, cut where it is too long; "" if there is none. */
static void get_field(const json_t *o, const char *key, char *out, size_t size)
{
	snprintf(out, size, "%s", json_opt_str(o, key, ""));
}

static int read_info(struct backend *b, const json_t *result, struct err *e)
{
	struct backend_info *i = &b->info;
	const json_t *model = json_object_get(result, "model");
	u64 d, layers, vocab, ctx;
	const char *protocol;
	char what[160];
	snprintf(what, sizeof what, "the answer of backend '%.100s'", b->name);
	if (json_get_str(result, "protocol", &protocol, what, e))
		return -1;
	if (strncmp(protocol, "1.", 2))
		return err_set(e, ERR_UNAVAILABLE,
			       "backend '%s' speaks protocol %.20s; this featlas speaks 1", b->name,
			       protocol);
	if (json_get_u64(model, "d_model", 1 << 16, &d, what, e) ||
	    json_get_u64(model, "n_layers", 4096, &layers, what, e) ||
	    json_get_u64(model, "n_vocab", 1 << 24, &vocab, what, e) ||
	    json_get_u64(model, "n_ctx", 1 << 24, &ctx, what, e))
		return -1;
	if (!d || !layers || !vocab || !ctx)
		return err_set(e, ERR_DAMAGED, "%s: a size of the model is 0", what);
	i->d_model = (u32)d;
	i->n_layers = (u32)layers;
	i->n_vocab = (u32)vocab;
	i->n_ctx = (u32)ctx;
	b->minor = (unsigned)strtoul(protocol + 2, NULL, 10);
	u64 bos = json_opt_u64(model, "bos", UINT32_MAX);
	i->bos = bos < vocab ? (u32)bos : UINT32_MAX;
	get_field(model, "name", i->name, sizeof i->name);
	get_field(model, "sha256", i->sha256, sizeof i->sha256);
	get_field(model, "tokenizer", i->tokenizer, sizeof i->tokenizer);
	get_field(model, "template", i->templ, sizeof i->templ);
	json_decref(b->capabilities);
	b->capabilities = json_incref(json_object_get(result, "capabilities"));
	return 0;
}

static int start(struct backend *b, struct err *e)
{
	if (b->rpc)
		return 0;
	if (backend_state(b) == BACKEND_DIED)
		atomic_fetch_add(&b->restarts, 1);
	bool shell = b->argv[1] && !strcmp(b->argv[1], "-c");
	b->rpc = rpc_start(b->name, b->argv, shell ? b->path : NULL, &b->stop, b->timeout_ms, e);
	return b->rpc ? 0 : -1;
}

static int load(struct backend *b, struct progress *p, struct err *e)
{
	struct frame reply;
	if (start(b, e))
		return -1;
	set_busy(b, BACKEND_LOADING);
	progress_start(p, "loading the model", "%", 0);
	struct listener l = {.b = b, .progress = p};
	json_t *params = json_pack("{s:s, s:s}", "protocol", "1.1", "client", "featlas " PACKAGE_VERSION);
	if (rpc_call(b->rpc, "initialize", params, NULL, 0, listen, &l, &reply, e))
		return settle(b, -1);
	int bad = read_info(b, json_object_get(reply.line, "result"), e);
	frame_release(&reply);
	b->ready = !bad;
	return settle(b, bad);
}

int backend_connect(struct backend *b, struct progress *p, struct err *e)
{
	if (b->ready)
		return 0;
	/* how far the loading was is not how far the work is that comes after it */
	const char *what = p ? atomic_load(&p->what) : NULL, *unit = p ? atomic_load(&p->unit) : NULL;
	u64 total = p ? atomic_load(&p->total) : 0;
	int bad = load(b, p, e);
	progress_start(p, what, unit, total);
	return bad;
}

bool backend_can(const struct backend *b, const char *method)
{
	for (size_t i = 0; i < json_array_size(b->capabilities); i++) {
		const char *s = json_string_value(json_array_get(b->capabilities, i));
		if (s && !strcmp(s, method))
			return true;
	}
	return false;
}

bool backend_verdict(const struct backend *b, const char *key, char *out, size_t size)
{
	if (!b->ready || strcmp(b->verdict_key, key))
		return false;
	snprintf(out, size, "%s", b->verdict);
	return true;
}

void backend_keep_verdict(struct backend *b, const char *key, const char *verdict)
{
	snprintf(b->verdict_key, sizeof b->verdict_key, "%s", key);
	snprintf(b->verdict, sizeof b->verdict, "%s", verdict);
	atomic_store(&b->foreign, *verdict != 0);
}

bool backend_is_foreign(const struct backend *b)
{
	return atomic_load(&b->foreign);
}

bool backend_is_1_1(const struct backend *b)
{
	return b->minor >= 1;
}

int client_ready(struct backend *b, const char *method, struct err *e)
{
	if (backend_connect(b, NULL, e))
		return -1;
	if (backend_can(b, method))
		return 0;
	return err_set(e, ERR_UNAVAILABLE, "backend '%s' cannot do '%s'", b->name, method);
}

int client_call(struct backend *b, const char *method, json_t *params, struct frame_out *f, u64 max_bytes,
		rpc_notify_fn fn, void *context, struct frame *reply, struct err *e)
{
	struct listener l = {.b = b, .fn = fn, .context = context};
	set_busy(b, BACKEND_BUSY);
	return settle(b, rpc_call(b->rpc, method, params, f, max_bytes, listen, &l, reply, e));
}
