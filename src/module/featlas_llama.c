/* SPDX-License-Identifier: MIT */
/* featlas_llama.c - the program featlas-llama: arguments, and the engine as a module. */
#include "module/engine.h"
#include "module/model_file.h"

#include "base/mem.h"
#include "base/xdg.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MODEL "models/SmolLM2-135M-Instruct-BF16.gguf"

struct arguments {
	char *model; /* owned */
	unsigned threads;
	bool try;
	const char *convert; /* IN; the one argument left is OUT */
	const char *out;
};

static int parse_threads(const char *s, unsigned *out, struct err *e)
{
	char *end;
	errno = 0;
	unsigned long n = strtoul(s, &end, 10);
	if (errno || !*s || *end || !n || n > 1024)
		return err_set(e, ERR_USAGE, "'%s' is not a number of threads", s);
	*out = (unsigned)n;
	return 0;
}

static int parse(int argc, char **argv, struct arguments *a, struct err *e)
{
	static const struct option options[] = {
		{"model", required_argument, NULL, 'm'},
		{"threads", required_argument, NULL, 't'},
		{"convert", required_argument, NULL, 'c'},
		{"try", no_argument, NULL, 'T'},
		{0},
	};
	*a = (struct arguments){.threads = 1};
	optind = 1;
	opterr = 0;
	for (int c; (c = getopt_long(argc, argv, "m:t:", options, NULL)) != -1;) {
		if (c == 'm') {
			free(a->model);
			a->model = xstrdup(optarg);
		} else if (c == 't' && parse_threads(optarg, &a->threads, e))
			return -1;
		else if (c == 'c')
			a->convert = optarg;
		else if (c == 'T')
			a->try = true;
		else if (c == '?')
			return err_set(e, ERR_USAGE, "'%s' is no option, or lacks its value", argv[optind - 1]);
	}
	if (a->convert && optind + 1 == argc)
		a->out = argv[optind];
	else if (a->convert || optind < argc)
		return err_set(e, ERR_USAGE, a->convert ? "--convert takes IN.gguf OUT.gguf" : "an argument too many");
	const char *set = getenv("FEATLAS_MODEL");
	if (!a->model)
		a->model = set && *set ? xstrdup(set) : xdg_data(DEFAULT_MODEL);
	return a->model ? 0 : err_set(e, ERR_USAGE, "no model: use -m MODEL.gguf");
}

static bool on_load(void *context, f32 part)
{
	struct module_request *r = context;
	if (!r)
		return true;
	module_progress(r, "loading", (u64)(part * 100), 100);
	return !module_cancelled(r);
}

static struct lm *open_model(const struct arguments *a, struct module_request *r, struct err *e)
{
	FILE *f = fopen(a->model, "rb");
	if (!f) {
		err_os(e, "cannot open the model '%s'", a->model);
		return NULL;
	}
	fclose(f);
	struct lm_options o = {.threads = a->threads, .progress = on_load, .context = r};
	return lm_open(a->model, &o, e);
}

static void *load(int argc, char **argv, struct module_info *info, struct module_request *r, struct err *e)
{
	struct arguments a;
	struct lm *lm = NULL;
	struct engine *g = NULL;
	if (!parse(argc, argv, &a, e))
		lm = open_model(&a, r, e);
	if (lm) {
		g = engine_new(lm);
		engine_info(g, info);
		/* a converted model is known by what it was made of */
		if (!*info->sha256 && model_file_sha256(a.model, info->sha256, NULL, e)) {
			engine_free(g);
			g = NULL;
		}
	}
	free(a.model);
	return g;
}

static void unload(void *m)
{
	engine_free(m);
}

static int vocab(void *m, struct buf *blob, u64 *offsets, u8 *special, struct err *e)
{
	return engine_vocab(m, blob, offsets, special, e);
}

static int tokenize(void *m, const struct module_text *t, u32 **tokens, u8 **flags, size_t *n, struct err *e)
{
	return engine_tokenize(m, t, tokens, flags, n, e);
}

static int render(void *m, const struct module_text *t, struct buf *out, struct err *e)
{
	return engine_render(m, t, out, e);
}

static int states(void *m, struct module_request *r, const u32 *tokens, size_t n_tokens, const char *const *hooks,
		  size_t n_hooks, f32 *const *rows, struct err *e)
{
	return engine_states(m, r, tokens, n_tokens, hooks, n_hooks, rows, e);
}

static int generate(void *m, struct module_request *r, const struct run *runs, size_t n_runs,
		    const struct generate_options *o, struct err *e)
{
	return engine_generate(m, r, runs, n_runs, o, e);
}

static int score(void *m, struct module_request *r, const struct run *runs, size_t n_runs, struct score *out,
		 struct err *e)
{
	return engine_score(m, r, runs, n_runs, out, e);
}

static int lens(void *m, struct module_request *r, const f32 *vectors, size_t n, u32 k, u32 *top_token,
		f32 *top_value, u32 *bottom_token, f32 *bottom_value, struct err *e)
{
	return engine_lens(m, r, vectors, n, k, top_token, top_value, bottom_token, bottom_value, e);
}

static const struct module_ops ops = {
	.program = "featlas-llama",
	.usage = "featlas-llama [-m MODEL.gguf] [-t THREADS]\n"
		 "       featlas-llama [-m MODEL.gguf] --try\n"
		 "       featlas-llama --convert IN.gguf OUT.gguf\n"
		 "\n"
		 "A backend of featlas on libllama: speaks the protocol of featlas-backend(7) on\n"
		 "standard input and output.\n"
		 "\n"
		 "  -m, --model MODEL    default: $FEATLAS_MODEL, else what bootstrap obtained\n"
		 "  -t, --threads N      default: 1, which is the fastest for small models beside other work\n"
		 "      --try            decode once for real, say one line, exit 0 if it went well\n"
		 "      --convert IN     write a BF16 copy of a model of any precision to OUT",
	.load = load,
	.unload = unload,
	.vocab = vocab,
	.tokenize = tokenize,
	.render = render,
	.states = states,
	.generate = generate,
	.score = score,
	.lens = lens,
};

/* The likeliest word after a sentence that every model knows the end of. */
static int try_once(struct lm *lm, struct buf *out, struct err *e)
{
	static const char text[] = "The capital of France is";
	const struct lm_info *info = lm_info(lm);
	u32 *tokens, best = 0;
	size_t n;
	if (lm_tokenize(lm, text, strlen(text), false, &tokens, &n, e))
		return -1;
	struct lm_column columns[64];
	n = MIN(n, ARRAY_LEN(columns));
	for (size_t i = 0; i < n; i++)
		columns[i] = (struct lm_column){tokens[i], (u32)i, 0, i + 1 == n};
	free(tokens);
	if (lm_decode(lm, columns, n, NULL, e))
		return -1;
	const f32 *scores = lm_logits(lm, n - 1);
	for (u32 i = 0; i < info->n_vocab; i++) {
		if (!(scores[i] - scores[i] == 0))
			return err_set(e, ERR_FAILED, "the model's scores are not finite");
		best = scores[i] > scores[best] ? i : best;
	}
	buf_addf(out, "%s, %u layers, %u wide: \"%s", info->name, info->n_layers, info->d_model, text);
	lm_add_piece(lm, best, out);
	buf_adds(out, "\"");
	return 0;
}

static int try_model(const struct arguments *a, struct err *e)
{
	struct buf words = BUF_INIT;
	struct lm *lm = open_model(a, NULL, e);
	int rc = lm ? try_once(lm, &words, e) : -1;
	if (!rc)
		printf("%s\n", words.s);
	buf_release(&words);
	lm_free(lm);
	return rc;
}

static bool asks_for(int argc, char **argv, const char *option)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], option))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	if (asks_for(argc, argv, "--help") ||
	    (!asks_for(argc, argv, "--try") && !asks_for(argc, argv, "--convert")))
		return module_main(&ops, argc, argv);
	struct arguments a;
	struct err e = {0};
	int rc = parse(argc, argv, &a, &e);
	if (!rc)
		rc = a.convert ? lm_convert(a.convert, a.out, &e) : try_model(&a, &e);
	free(a.model);
	if (rc)
		fprintf(stderr, "featlas-llama: %s\n", e.msg);
	return rc ? 2 : fflush(stdout) != 0;
}
