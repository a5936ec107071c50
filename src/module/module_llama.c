/* SPDX-License-Identifier: MIT */
/* module_llama.c - libllama behind lm.h, and the only file that includes its headers.
 *
 * The residual stream after block N is the node "l_out-N".  The evaluation callback is asked
 * about every node; a yes ends the sub-graph there, so that the rows can be read and changed
 * before the next one is computed.  Answering "no more" ends one scheduler split only, so after
 * the deepest watched layer each later split is made to compute a single node and ended too;
 * the graph of the next micro-batch begins at the node "embd".  llama_decode says 0 all the
 * same, so the rows are counted.
 */
#include "module/lm.h"

#include "base/mem.h"
#include "base/sha256.h"

#include <ggml-backend.h>
#include <llama.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOURCE_KEY "featlas.source.sha256"

enum { COLUMNS = 512, LOGITS = 128, SEQUENCES = 65, DEFAULT_CONTEXT = 4096 };

/* The callback's state during one decode. */
struct hook {
	const struct lm_watch *watch; /* NULL: ask for nothing */
	i64 deepest;
	bool stopped;    /* the deepest layer is done; what follows in this micro-batch is waste */
	const char *bad; /* what is wrong with a watched node, or NULL */
	u32 *seen;       /* [n_layers] rows so far */
	f32 *copy;       /* [COLUMNS][d], for devices whose memory is not the host's */
};

struct lm {
	struct lm_info info;
	struct llama_model *model;
	struct llama_context *context;
	const struct llama_vocab *vocab;
	struct llama_batch batch;
	struct hook hook;
	i64 memory_depth; /* layers whose memory is whole, from 0; the last one unless a pass was stopped */
	u64 n_cleared;
	bool (*cancelled)(const void *context);
	const void *cancel_context;
};

static bool poll_cancel(void *context)
{
	struct lm *m = context;
	return m->cancelled && m->cancelled(m->cancel_context);
}

static void on_log(enum ggml_log_level level, const char *text, void *context)
{
	/* libllama calls a cancelled decode an error */
	if (level == GGML_LOG_LEVEL_ERROR && (!context || !poll_cancel(context)))
		fputs(text, stderr);
}

static void on_abort(const char *text)
{
	fprintf(stderr, "featlas-llama: libllama gave up: %s\n", text);
}

static i64 layer_of(const struct lm *m, const char *node)
{
	if (strncmp(node, "l_out-", 6))
		return -1;
	char *end;
	unsigned long n = strtoul(node + 6, &end, 10);
	return *end || n >= m->info.n_layers ? -1 : (i64)n;
}

static i64 watched_layer(const struct lm *m, const struct ggml_tensor *t)
{
	i64 layer = layer_of(m, t->name);
	return layer >= 0 && m->hook.watch->layers[layer] ? layer : -1;
}

static const char *wrong_shape(const struct lm *m, const struct ggml_tensor *t, u32 seen)
{
	if (t->type != GGML_TYPE_F32)
		return "is not f32";
	if (t->ne[0] != m->info.d_model || t->ne[2] != 1 || t->ne[3] != 1 || !ggml_is_contiguous(t))
		return "is not one row a token";
	if (t->ne[1] < 0 || t->ne[1] + seen > m->batch.n_tokens)
		return "has more rows than tokens";
	return NULL;
}

static void give_rows(struct lm *m, u32 layer, struct ggml_tensor *t)
{
	struct hook *h = &m->hook;
	h->bad = wrong_shape(m, t, h->seen[layer]);
	if (h->bad)
		return;
	size_t n = (size_t)t->ne[1], bytes = ggml_nbytes(t);
	bool host = ggml_backend_buffer_is_host(t->buffer);
	f32 *rows = host ? t->data : h->copy;
	if (!host)
		ggml_backend_tensor_get(t, rows, 0, bytes);
	bool changed = h->watch->fn(h->watch->context, layer, rows, h->seen[layer], n);
	if (changed && !host)
		ggml_backend_tensor_set(t, rows, 0, bytes);
	h->seen[layer] += (u32)n;
}

static bool on_node(struct ggml_tensor *t, bool ask, void *context)
{
	struct lm *m = context;
	struct hook *h = &m->hook;
	if (!h->watch)
		return !ask;
	if (ask && h->stopped && !strcmp(t->name, "embd"))
		h->stopped = false;
	if (h->stopped)
		return ask;
	i64 layer = watched_layer(m, t);
	if (ask)
		return layer >= 0;
	if (layer >= 0)
		give_rows(m, (u32)layer, t);
	h->stopped = h->watch->stop && layer == h->deepest;
	return !h->stopped && !h->bad && !poll_cancel(m);
}

void lm_clear(struct lm *m)
{
	llama_memory_clear(llama_get_memory(m->context), false);
	m->memory_depth = (i64)m->info.n_layers - 1;
	m->n_cleared++;
}

u64 lm_n_cleared(const struct lm *m)
{
	return m->n_cleared;
}

void lm_share(struct lm *m, u32 from, u32 to)
{
	llama_memory_seq_cp(llama_get_memory(m->context), (llama_seq_id)from, (llama_seq_id)to, -1, -1);
}

void lm_forget(struct lm *m, u32 seq, u32 position)
{
	llama_memory_seq_rm(llama_get_memory(m->context), (llama_seq_id)seq, (llama_pos)position, -1);
}

void lm_on_cancel(struct lm *m, bool (*cancelled)(const void *context), const void *context)
{
	m->cancelled = cancelled;
	m->cancel_context = context;
}

static i64 deepest_of(const struct lm *m, const struct lm_watch *w)
{
	for (i64 l = (i64)m->info.n_layers - 1; w && l >= 0; l--)
		if (w->layers[l])
			return l;
	return -1;
}

static int fill_batch(struct lm *m, const struct lm_column *columns, size_t n, bool all_logits, struct err *e)
{
	size_t n_logits = 0;
	if (!n || n > COLUMNS)
		return err_set(e, ERR_FAILED, "a decode of %zu columns: 1 to %d are possible", n, COLUMNS);
	for (size_t i = 0; i < n; i++) {
		if (columns[i].token >= m->info.n_vocab || columns[i].seq > SEQUENCES)
			return err_set(e, ERR_FAILED, "column %zu names token %u of sequence %u", i, columns[i].token,
				       columns[i].seq);
		m->batch.token[i] = (llama_token)columns[i].token;
		m->batch.pos[i] = (llama_pos)columns[i].position;
		m->batch.n_seq_id[i] = 1;
		m->batch.seq_id[i][0] = (llama_seq_id)columns[i].seq;
		m->batch.logits[i] = all_logits || columns[i].logits;
		n_logits += m->batch.logits[i] != 0;
	}
	m->batch.n_tokens = (i32)n;
	return n_logits <= LOGITS ? 0 : err_set(e, ERR_FAILED, "logits of %zu columns: %d are possible", n_logits, LOGITS);
}

static int check_seen(struct lm *m, struct err *e)
{
	const struct hook *h = &m->hook;
	if (h->bad)
		return err_set(e, ERR_FAILED, "the model's layer output %s", h->bad);
	for (u32 l = 0; l < m->info.n_layers; l++)
		if (h->watch->layers[l] && h->seen[l] != (u32)m->batch.n_tokens)
			return err_set(e, ERR_FAILED, "layer %u gave %u rows for %d tokens", l, h->seen[l],
				       m->batch.n_tokens);
	return 0;
}

static int judge(struct lm *m, int rc, struct err *e)
{
	/* devices other than the CPU ignore the abort callback and then say 0 */
	if (rc == 2 || poll_cancel(m))
		return err_set(e, ERR_CANCELLED, "cancelled");
	if (rc == 1)
		return err_set(e, ERR_FAILED, "the runs do not fit in a context of %u tokens", m->info.n_ctx);
	if (rc)
		return err_set(e, ERR_FAILED, "libllama could not decode (%d)", rc);
	return m->hook.watch ? check_seen(m, e) : 0;
}

int lm_decode(struct lm *m, const struct lm_column *columns, size_t n, const struct lm_watch *w, struct err *e)
{
	i64 last = (i64)m->info.n_layers - 1, deepest = deepest_of(m, w);
	i64 end = w && w->stop ? deepest : last;
	if (end > m->memory_depth)
		return err_set(e, ERR_FAILED, "the memory ends at layer %d: a stopped pass was not cleared",
			       (int)m->memory_depth);
	/* the last block keeps only the columns whose logits are wanted */
	if (fill_batch(m, columns, n, deepest == last, e))
		return -1;
	m->hook.watch = deepest >= 0 ? w : NULL;
	m->hook.deepest = deepest;
	m->hook.stopped = false;
	m->hook.bad = NULL;
	memset(m->hook.seen, 0, m->info.n_layers * sizeof *m->hook.seen);
	int rc = llama_decode(m->context, m->batch);
	llama_synchronize(m->context);
	rc = judge(m, rc, e);
	m->hook.watch = NULL;
	if (rc)
		lm_clear(m);
	else
		m->memory_depth = end;
	return rc;
}

const f32 *lm_logits(struct lm *m, size_t column)
{
	return llama_get_logits_ith(m->context, (i32)column);
}

static bool meta(const struct lm *m, const char *key, char *out, size_t size)
{
	return llama_model_meta_val_str(m->model, key, out, size) > 0;
}

static void find_name(struct lm *m, const char *path)
{
	char name[96], done[64];
	if (!meta(m, "general.name", name, sizeof name)) {
		const char *slash = strrchr(path, '/');
		snprintf(name, sizeof name, "%s", slash ? slash + 1 : path);
	}
	bool converted = meta(m, "featlas.converted", done, sizeof done);
	if (!meta(m, SOURCE_KEY, m->info.source, sizeof m->info.source) ||
	    strspn(m->info.source, "0123456789abcdef") != 64)
		m->info.source[0] = 0;
	snprintf(m->info.name, sizeof m->info.name, "%.95s%s%.30s", name, converted ? ", " : "", converted ? done : "");
}

static int make_context(struct lm *m, const struct lm_options *o, struct err *e)
{
	struct llama_context_params p = llama_context_default_params();
	i32 trained = llama_model_n_ctx_train(m->model);
	u32 wanted = o->n_ctx ? o->n_ctx : DEFAULT_CONTEXT;
	p.n_ctx = trained > 0 && (u32)trained < wanted ? (u32)trained : wanted;
	p.n_batch = p.n_ubatch = COLUMNS;
	p.n_outputs_max = LOGITS;
	p.n_seq_max = SEQUENCES + 1;
	/* one memory for all sequences: columns stay in the order of the batch */
	p.kv_unified = true;
	p.n_threads = p.n_threads_batch = (i32)MAX(o->threads, 1u);
	p.cb_eval = on_node;
	p.cb_eval_user_data = m;
	p.abort_callback = poll_cancel;
	p.abort_callback_data = m;
	p.no_perf = true;
	m->context = llama_init_from_model(m->model, p);
	if (!m->context)
		return err_set(e, ERR_FAILED, "libllama could not make a context of %u tokens", p.n_ctx);
	m->info.n_ctx = llama_n_ctx(m->context);
	m->info.n_columns = MIN((u32)COLUMNS, m->info.n_ctx);
	m->info.n_logits = LOGITS;
	m->info.n_seq = SEQUENCES;
	m->batch = llama_batch_init(COLUMNS, 0, 1);
	m->hook.seen = xcalloc(m->info.n_layers, sizeof *m->hook.seen);
	m->hook.copy = mem_try((size_t)COLUMNS * m->info.d_model, sizeof(f32), "a layer's rows", e);
	lm_clear(m);
	return m->hook.copy ? 0 : -1;
}

static bool see(void *context, u32 layer, f32 *rows, size_t first, size_t n)
{
	(void)context, (void)layer, (void)rows, (void)first, (void)n;
	return false;
}

/* Names of nodes are no interface of libllama's: see that they are there. */
static int prove_layers(struct lm *m, struct err *e)
{
	struct lm_column two[2] = {{0, 0, 0, true}, {1, 1, 0, true}};
	u8 *layers = xmalloc(m->info.n_layers);
	memset(layers, 1, m->info.n_layers);
	struct lm_watch w = {layers, false, see, NULL};
	int rc = lm_decode(m, two, 2, &w, e);
	free(layers);
	lm_clear(m);
	return rc ? err_wrap(e, "'%s' cannot be hooked", m->info.name) : 0;
}

static bool on_load(float part, void *context)
{
	const struct lm_options *o = context;
	return !o->progress || o->progress(o->context, part);
}

static int load_model(struct lm *m, const char *path, const struct lm_options *o, struct err *e)
{
	struct llama_model_params p = llama_model_default_params();
	p.progress_callback = on_load;
	p.progress_callback_user_data = (void *)(uintptr_t)o; /* only read */
	m->model = llama_model_load_from_file(path, p);
	if (!m->model)
		return err_set(e, ERR_FAILED, "libllama cannot load '%s'", path);
	if (llama_model_is_recurrent(m->model) || llama_model_has_encoder(m->model))
		return err_set(e, ERR_FAILED, "'%s' is not a plain decoder with attention", path);
	m->vocab = llama_model_get_vocab(m->model);
	m->info.d_model = (u32)llama_model_n_embd(m->model);
	m->info.n_layers = (u32)llama_model_n_layer(m->model);
	m->info.n_vocab = (u32)llama_vocab_n_tokens(m->vocab);
	llama_token bos = llama_vocab_bos(m->vocab);
	m->info.adds_bos = bos >= 0 && llama_vocab_get_add_bos(m->vocab);
	m->info.bos = bos >= 0 ? (u32)bos : UINT32_MAX;
	if (m->info.n_vocab < 2 || !m->info.n_layers)
		return err_set(e, ERR_FAILED, "'%s' has no vocabulary", path);
	find_name(m, path);
	return 0;
}

struct lm *lm_open(const char *path, const struct lm_options *o, struct err *e)
{
	struct lm *m = xcalloc(1, sizeof *m);
	llama_log_set(on_log, m);
	ggml_set_abort_callback(on_abort);
	llama_backend_init();
	if (load_model(m, path, o, e) || make_context(m, o, e) || prove_layers(m, e)) {
		lm_free(m);
		return NULL;
	}
	return m;
}

void lm_free(struct lm *m)
{
	if (!m)
		return;
	llama_log_set(on_log, NULL);
	if (m->batch.token)
		llama_batch_free(m->batch);
	if (m->context)
		llama_free(m->context);
	if (m->model)
		llama_model_free(m->model);
	free(m->hook.seen);
	free(m->hook.copy);
	free(m);
}

const struct lm_info *lm_info(const struct lm *m)
{
	return &m->info;
}

const char *lm_jinja(const struct lm *m)
{
	return llama_model_chat_template(m->model, NULL);
}

int lm_add_chat(const struct lm *m, const char *const *roles, const char *const *contents, size_t n, bool open,
		struct buf *out)
{
	const char *jinja = lm_jinja(m);
	if (!jinja)
		return -1;
	struct llama_chat_message *chat = xcalloc(n + 1, sizeof *chat);
	for (size_t i = 0; i < n; i++)
		chat[i] = (struct llama_chat_message){roles[i], contents[i]};
	char none[1];
	i32 size = llama_chat_apply_template(jinja, chat, n, open, none, 0);
	char *text = size > 0 ? xmalloc((size_t)size + 1) : NULL;
	if (text)
		buf_add(out, text, (size_t)llama_chat_apply_template(jinja, chat, n, open, text, size + 1));
	free(text);
	free(chat);
	return size < 0 ? -1 : 0;
}

int lm_tokenize(const struct lm *m, const char *s, size_t n, bool special, u32 **tokens, size_t *n_tokens,
		struct err *e)
{
	*tokens = NULL;
	*n_tokens = 0;
	if (n > INT32_MAX / 2)
		return err_set(e, ERR_USAGE, "the text is too long");
	/* never more tokens than bytes, but for a blank some tokenizers put in front */
	i32 cap = (i32)n + 8;
	u32 *out = mem_try((size_t)cap, sizeof *out, "tokens", e);
	if (!out)
		return -1;
	i32 got = llama_tokenize(m->vocab, s, (i32)n, (llama_token *)out, cap, false, special);
	if (got < 0) {
		free(out);
		return err_set(e, ERR_FAILED, "libllama cannot tokenize the text");
	}
	*tokens = out;
	*n_tokens = (size_t)got;
	return 0;
}

void lm_add_piece(const struct lm *m, u32 token, struct buf *out)
{
	char small[64];
	i32 n = llama_token_to_piece(m->vocab, (llama_token)token, small, sizeof small, 0, true);
	if (n >= 0) {
		buf_add(out, small, (size_t)n);
		return;
	}
	char *large = xmalloc((size_t)-n);
	n = llama_token_to_piece(m->vocab, (llama_token)token, large, -n, 0, true);
	buf_add(out, large, n > 0 ? (size_t)n : 0);
	free(large);
}

bool lm_is_control(const struct lm *m, u32 token)
{
	return llama_vocab_is_control(m->vocab, (llama_token)token);
}

bool lm_is_end(const struct lm *m, u32 token)
{
	return llama_vocab_is_eog(m->vocab, (llama_token)token);
}

/* "x/SmolLM2-135M-Instruct.Q4_1.gguf" to "SmolLM2-135M-Instruct" and "Q4_1". */
static void split_file_name(const char *path, char *name, char *type, size_t size)
{
	const char *slash = strrchr(path, '/');
	snprintf(name, size, "%s", slash ? slash + 1 : path);
	*type = 0;
	size_t n = strlen(name);
	if (n > 5 && !strcmp(name + n - 5, ".gguf"))
		name[n - 5] = 0;
	char *dot = strrchr(name, '.');
	if (!dot)
		dot = strrchr(name, '-');
	if (!dot || !strpbrk(dot, "0123456789") || !strchr("QqFfBbI", dot[1]))
		return;
	snprintf(type, size, "%s", dot + 1);
	*dot = 0;
}

int lm_convert(const char *in, const char *out, struct err *e)
{
	char name[100], type[100];
	struct llama_model_kv_override kv[4] = {0};
	struct llama_model_quantize_params q = llama_model_quantize_default_params();
	llama_log_set(on_log, NULL);
	llama_backend_init();
	split_file_name(in, name, type, sizeof name);
	kv[0].tag = kv[1].tag = kv[2].tag = LLAMA_KV_OVERRIDE_TYPE_STR;
	snprintf(kv[0].key, sizeof kv[0].key, "general.name");
	snprintf(kv[0].val_str, sizeof kv[0].val_str, "%s", name);
	snprintf(kv[1].key, sizeof kv[1].key, "featlas.converted");
	snprintf(kv[1].val_str, sizeof kv[1].val_str, "%.24s%sto BF16", type, *type ? " " : "");
	snprintf(kv[2].key, sizeof kv[2].key, SOURCE_KEY);
	if (sha256_file(in, kv[2].val_str, NULL, e))
		return -1;
	q.kv_overrides = kv;
	q.ftype = LLAMA_FTYPE_MOSTLY_BF16;
	q.allow_requantize = true;
	if (llama_model_quantize(in, out, &q))
		return err_set(e, ERR_FAILED, "libllama cannot convert '%s'", in);
	return 0;
}
