/* SPDX-License-Identifier: MIT */
/* sample.c - text sampled from the model itself, from a file of prompts.
 *
 * usage: sample MODEL.gguf PROMPTS.jsonl OUT SHARD N_SHARDS [LAYER ...]
 *
 * Takes the prompts whose line number is SHARD modulo N_SHARDS, keeps N_SEQ sequences in
 * one batch, and appends every finished text to OUT.docs: u32 prompt line, u32 n_prompt,
 * u32 n, then n token ids as u16.  With layers named, the residual rows after those blocks
 * are appended to OUT.l<LAYER>.f16 in the same order ([n][d_model], f16).
 *
 * One thread.  Interrupted, it goes on: finished prompts are read back from OUT.docs, a
 * torn record is cut off, and the row files are cut to match.
 */
#include "llama.h"
#include "ggml-backend.h"
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { N_SEQ = 40, MAX_TOKENS = 400, MAX_REPLY = 330, MAX_LAYERS = 4, D_MAX = 1024 };

static const char system_text[] =
	"<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n";

struct seq {
	int live, n, n_prompt, column;
	uint32_t line;
	llama_token token[MAX_TOKENS];
	_Float16 *rows[MAX_LAYERS]; /* [MAX_TOKENS][d] */
	struct llama_sampler *sampler;
};

static struct seq seqs[N_SEQ];
static int layers[MAX_LAYERS], n_layers, d_model;
static char names[MAX_LAYERS][32];
static float *column_rows[MAX_LAYERS]; /* [columns of this decode][d] */
static int n_columns[MAX_LAYERS];

static void quiet(enum ggml_log_level level, const char *s, void *u)
{
	(void)u;
	if (level >= GGML_LOG_LEVEL_ERROR)
		fputs(s, stderr);
}

static int layer_of(const struct ggml_tensor *t)
{
	for (int i = 0; i < n_layers; i++)
		if (!strcmp(t->name, names[i]))
			return i;
	return -1;
}

static bool on_tensor(struct ggml_tensor *t, bool ask, void *u)
{
	(void)u;
	int l = layer_of(t);
	if (ask)
		return l >= 0;
	if (l >= 0) {
		ggml_backend_tensor_get(t, column_rows[l] + (size_t)n_columns[l] * (size_t)d_model, 0,
					ggml_nbytes(t));
		n_columns[l] += (int)t->ne[1];
	}
	return true;
}

static void keep_rows(struct seq *s, int at, int column)
{
	for (int l = 0; l < n_layers; l++)
		for (int k = 0; k < d_model; k++)
			s->rows[l][(size_t)at * (size_t)d_model + (size_t)k] =
				(_Float16)column_rows[l][(size_t)column * (size_t)d_model + (size_t)k];
}

static void die(const char *what)
{
	fprintf(stderr, "sample: %s\n", what);
	exit(1);
}

static void add(struct llama_batch *b, llama_token t, int pos, int seq, bool out)
{
	int i = b->n_tokens++;
	b->token[i] = t;
	b->pos[i] = pos;
	b->n_seq_id[i] = 1;
	b->seq_id[i][0] = seq;
	b->logits[i] = out;
}

static int decode(struct llama_context *c, struct llama_batch *b)
{
	memset(n_columns, 0, sizeof n_columns);
	if (llama_decode(c, *b))
		return -1;
	for (int l = 0; l < n_layers; l++)
		if (n_columns[l] != b->n_tokens)
			die("a layer gave fewer rows than tokens");
	return 0;
}

/* Reads the next prompt of this shard into text; 0 at the end of the file. */
static int next_prompt(FILE *f, uint32_t *line, uint32_t shard, uint32_t n_shards, const uint8_t *done,
		       char *text, size_t size)
{
	static char *buf;
	static size_t cap;
	for (;;) {
		if (getline(&buf, &cap, f) < 0)
			return 0;
		uint32_t me = (*line)++;
		if (me % n_shards != shard || done[me])
			continue;
		json_t *j = json_loads(buf, 0, NULL);
		const char *plain = json_string_value(json_object_get(j, "text"));
		const char *chat = json_string_value(
			json_object_get(json_array_get(json_object_get(j, "messages"), 0), "content"));
		if (plain)
			snprintf(text, size, "%s", plain);
		else if (chat)
			snprintf(text, size, "%s<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\n",
				 system_text, chat);
		json_decref(j);
		if (plain || chat)
			return 1;
	}
}

int main(int argc, char **argv)
{
	if (argc < 6)
		die("usage: sample MODEL PROMPTS OUT SHARD N_SHARDS [LAYER ...]");
	uint32_t shard = (uint32_t)atoi(argv[4]), n_shards = (uint32_t)atoi(argv[5]);
	for (int i = 6; i < argc && n_layers < MAX_LAYERS; i++) {
		layers[n_layers] = atoi(argv[i]);
		snprintf(names[n_layers], sizeof names[0], "l_out-%d", layers[n_layers]);
		n_layers++;
	}
	llama_log_set(quiet, NULL);
	llama_backend_init();
	struct llama_model *m = llama_model_load_from_file(argv[1], llama_model_default_params());
	if (!m)
		die("cannot load the model");
	d_model = llama_model_n_embd(m);
	struct llama_context_params cp = llama_context_default_params();
	cp.n_ctx = N_SEQ * 512;
	cp.n_batch = cp.n_ubatch = 512;
	cp.n_seq_max = N_SEQ;
	cp.kv_unified = false;
	cp.n_threads = cp.n_threads_batch = 1;
	cp.cb_eval = on_tensor;
	struct llama_context *c = llama_init_from_model(m, cp);
	if (!c)
		die("cannot make a context");
	const struct llama_vocab *vocab = llama_model_get_vocab(m);
	llama_memory_t mem = llama_get_memory(c);

	/* what an earlier run finished */
	static uint8_t done[1 << 20];
	char path[4096];
	snprintf(path, sizeof path, "%s.docs", argv[3]);
	FILE *out = fopen(path, "ab+"), *row_file[MAX_LAYERS];
	if (!out)
		die("cannot open the output");
	rewind(out);
	long good = 0, rows_done = 0, docs = 0, fresh = 0;
	for (uint32_t h[3]; fread(h, 4, 3, out) == 3;) {
		static uint16_t t[MAX_TOKENS];
		if (h[2] > MAX_TOKENS || fread(t, 2, h[2], out) != h[2])
			break;
		done[h[0]] = 1;
		rows_done += h[2];
		docs++;
		good = ftell(out);
	}
	if (ftruncate(fileno(out), good))
		die("cannot cut the output");
	fseek(out, 0, SEEK_END);
	for (int l = 0; l < n_layers; l++) {
		snprintf(path, sizeof path, "%s.l%d.f16", argv[3], layers[l]);
		row_file[l] = fopen(path, "ab");
		if (!row_file[l] || ftruncate(fileno(row_file[l]), rows_done * d_model * 2))
			die("cannot open the rows");
		fseek(row_file[l], 0, SEEK_END);
		column_rows[l] = malloc(sizeof(float) * 512 * (size_t)d_model);
		for (int i = 0; i < N_SEQ; i++)
			seqs[i].rows[l] = malloc(sizeof(_Float16) * MAX_TOKENS * (size_t)d_model);
	}
	FILE *prompts = fopen(argv[2], "r");
	if (!prompts)
		die("cannot open the prompts");
	uint32_t line = 0;
	struct llama_batch b = llama_batch_init(512, 0, 1);
	struct timespec t0, t1;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	long sampled = 0;
	for (int more = 1;;) {
		for (int i = 0; i < N_SEQ && more; i++) {
			struct seq *s = &seqs[i];
			char text[4096];
			if (s->live)
				continue;
			if (!next_prompt(prompts, &line, shard, n_shards, done, text, sizeof text)) {
				more = 0;
				break;
			}
			int n = llama_tokenize(vocab, text, (int)strlen(text), s->token, MAX_TOKENS - 60, false, true);
			if (n <= 0) {
				i--;
				continue;
			}
			s->line = line - 1;
			s->n = s->n_prompt = n;
			s->live = 1;
			llama_memory_seq_rm(mem, i, -1, -1);
			if (s->sampler)
				llama_sampler_free(s->sampler);
			s->sampler = llama_sampler_chain_init(llama_sampler_chain_default_params());
			llama_sampler_chain_add(s->sampler, llama_sampler_init_top_k(80));
			llama_sampler_chain_add(s->sampler, llama_sampler_init_top_p(0.97f, 1));
			llama_sampler_chain_add(s->sampler, llama_sampler_init_temp(0.9f));
			llama_sampler_chain_add(s->sampler, llama_sampler_init_dist(s->line + 1));
			b.n_tokens = 0;
			for (int k = 0; k < n - 1; k++)
				add(&b, s->token[k], k, i, false);
			if (n > 1) {
				if (decode(c, &b))
					die("decode failed");
				for (int k = 0; k < n - 1; k++)
					keep_rows(s, k, k);
			}
		}
		b.n_tokens = 0;
		for (int i = 0; i < N_SEQ; i++)
			if (seqs[i].live) {
				seqs[i].column = b.n_tokens;
				add(&b, seqs[i].token[seqs[i].n - 1], seqs[i].n - 1, i, true);
			}
		if (!b.n_tokens)
			break;
		if (decode(c, &b))
			die("decode failed");
		for (int i = 0; i < N_SEQ; i++) {
			struct seq *s = &seqs[i];
			if (!s->live)
				continue;
			keep_rows(s, s->n - 1, s->column);
			llama_token t = llama_sampler_sample(s->sampler, c, s->column);
			sampled++;
			if (!llama_vocab_is_eog(vocab, t) && s->n < MAX_TOKENS && s->n - s->n_prompt < MAX_REPLY) {
				s->token[s->n++] = t;
				continue;
			}
			/* every token that stands in the record has its row */
			s->live = 0;
			docs++;
			fresh++;
			for (int l = 0; l < n_layers; l++) {
				fwrite(s->rows[l], 2, (size_t)s->n * (size_t)d_model, row_file[l]);
				fflush(row_file[l]);
			}
			uint32_t h[3] = {s->line, (uint32_t)s->n_prompt, (uint32_t)s->n};
			uint16_t id[MAX_TOKENS];
			for (int k = 0; k < s->n; k++)
				id[k] = (uint16_t)s->token[k];
			fwrite(h, 4, 3, out);
			fwrite(id, 2, (size_t)s->n, out);
			fflush(out);
			if (fresh % 20 == 0) {
				clock_gettime(CLOCK_MONOTONIC, &t1);
				fprintf(stderr, "%ld texts, %.0f tok/s\n", docs,
					(double)sampled / (double)(t1.tv_sec - t0.tv_sec + 1));
			}
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &t1);
	fprintf(stderr, "%ld texts, done\n", docs);
	return fclose(out) != 0;
}
