/* SPDX-License-Identifier: MIT */
/* fake_world.h - a tiny made-up language model that is all arithmetic.
 *
 * 24 topics of a dozen words each, a handful of word classes and their order, and a residual
 * stream of 4 layers in 48 dimensions that is a closed formula of the token sequence:
 *
 *   row(i, L) = gain_L (a_L embedding(t_i) + b_L topics(0..i) + c_L next_class(t_i) - r_L recent(i) + noise)
 *
 * topics() is a decayed, saturating sum of the topic directions of the tokens so far; recent()
 * holds the words of the last few tokens back.  Position 0 is a sink, a row of huge norm.  What is
 * added to a row at one layer arrives unchanged at the last, so turning a topic's direction up
 * makes its words likelier.  Everything is pure, seeded and thread-safe, and uses no function
 * of libm but the square root, so the numbers are the same on every machine.
 */
#ifndef FEATLAS_FAKE_WORLD_H
#define FEATLAS_FAKE_WORLD_H

#include "base/buf.h"
#include "base/types.h"

enum {
	FAKE_WORLD_D = 48,
	FAKE_WORLD_LAYERS = 4,
	FAKE_WORLD_TOPICS = 24,
	FAKE_WORLD_BEGIN = 0,  /* "<|begin|>" */
	FAKE_WORLD_END = 1,    /* "<|end|>" */
	FAKE_WORLD_BYTE = 2,   /* the token of byte b is FAKE_WORLD_BYTE + b */
	FAKE_WORLD_WORD = 258, /* the first word */
};

u32 fake_world_n_vocab(void);
/* The bytes of a token, static; empty for an id that is not there. */
struct span fake_world_token(u32 token);
bool fake_world_is_special(u32 token);
/* The topic a token belongs to, or -1. */
int fake_world_topic(u32 token);
const char *fake_world_topic_name(int topic); /* "bridges" */

/* Greedy longest match; every text can be written, in bytes if need be.  special: the texts of
 * special tokens become them.  Returns the number of tokens; fills at most cap. */
size_t fake_world_tokenize(const char *text, size_t n, bool special, u32 *out, size_t cap);

/* Unit directions, f32 [48]: topics are orthogonal to each other. */
void fake_world_topic_direction(int topic, f32 *out);
void fake_world_embedding(u32 token, f32 *out);
/* The part of a word's embedding that is its own and no topic's or class's; zero if it has none. */
void fake_world_own_direction(u32 token, f32 *out);

/* Residual row f32 [48] of position i of tokens[0..i] after layer 0..3; O(min(i, 64)). */
void fake_world_row(const u32 *tokens, size_t i, int layer, f32 *out);
/* Scores of the next token, f32 [n_vocab], from a row of the last layer (changed or not). */
void fake_world_logits(const f32 *row, f32 *out);
/* Embedding of every token times a vector, f32 [n_vocab]: the lens. */
void fake_world_unembed(const f32 *vector, f32 *out);

#endif
