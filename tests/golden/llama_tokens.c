/* SPDX-License-Identifier: MIT */
/* llama_tokens.c - makes llama_tokens.json: token ids of chats that were written out by hand.
 *
 * usage: llama_tokens MODEL.gguf >llama_tokens.json
 * cc llama_tokens.c $(pkg-config --cflags --libs llama)
 *
 * Uses libllama only, none of featlas: the text of each chat stands here as it reads in the
 * model's own template, and is tokenized in one piece.  content: the ids from, up to but not
 * with, of the person's words. */
#include <llama.h>
#include <stdio.h>
#include <string.h>

static const char head[] = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging "
			   "Face<|im_end|>\n<|im_start|>user\n";
static const char tail[] = "<|im_end|>\n<|im_start|>assistant\n";
static const char *const users[] = {
	"What did you do last weekend?",
	"Write a haiku about a bridge.",
	"def f(x):\n    return x[1:\n\nWhy does this fail?",
	"\xc3\x9c" "ber die Br\xc3\xbc" "cke \xe2\x80\x93 \xe6\xa9\x8b \xf0\x9f\x8c\x89",
};

static void quiet(enum ggml_log_level level, const char *s, void *u)
{
	(void)level, (void)s, (void)u;
}

static void json_string(const char *s)
{
	putchar('"');
	for (; *s; s++)
		if (*s == '\n')
			fputs("\\n", stdout);
		else if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else
			putchar(*s);
	putchar('"');
}

int main(int argc, char **argv)
{
	struct llama_model_params p = llama_model_default_params();
	llama_log_set(quiet, NULL);
	p.vocab_only = true;
	struct llama_model *m = argc == 2 ? llama_model_load_from_file(argv[1], p) : NULL;
	if (!m)
		return 1;
	const struct llama_vocab *v = llama_model_get_vocab(m);
	printf("{\"model\": \"SmolLM2-135M-Instruct\",\n\"chats\": [");
	for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
		char text[2048];
		llama_token ids[512];
		snprintf(text, sizeof text, "%s%s%s", head, users[i], tail);
		int n = llama_tokenize(v, text, (int)strlen(text), ids, 512, false, true);
		int n_head = llama_tokenize(v, head, (int)strlen(head), ids, 512, false, true);
		int n_tail = llama_tokenize(v, tail, (int)strlen(tail), ids, 512, false, true);
		llama_tokenize(v, text, (int)strlen(text), ids, 512, false, true);
		printf("%s\n{\"user\": ", i ? "," : "");
		json_string(users[i]);
		printf(",\n\"text\": ");
		json_string(text);
		printf(",\n\"content\": [%d, %d],\n\"ids\": [", n_head, n - n_tail);
		for (int k = 0; k < n; k++)
			printf("%s%d", k ? ", " : "", ids[k]);
		printf("]}");
	}
	printf("\n]}\n");
	return 0;
}
