/* SPDX-License-Identifier: MIT */
/* atlas.h - an atlas directory: what it is and the parts that are there.
 *
 * atlas.json is the commit: it names every part, its file, checksum, and how it was built.
 * A part that is absent is NULL here and stands with its remedy in atlas_missing.  Opening
 * maps files and checks headers; checksums are atlas_verify's work.  Thread-safe to read.
 */
#ifndef FEATLAS_ATLAS_H
#define FEATLAS_ATLAS_H

#include "base/buf.h"
#include "base/json.h"
#include "base/progress.h"
#include "core/dict.h"
#include "core/store.h"

struct vocab;  /* core/vocab.h: token bytes */
struct labels; /* core/labels.h: the immutable base of labels */
struct map;    /* core/map.h */
struct judged; /* core/judged.h: what machines made of labels */
struct note;   /* core/note.h: labels.db, what people did */

struct atlas_model {
	const char *name;       /* "SmolLM2-135M-Instruct, Q4_1 to BF16" */
	const char *sha256;     /* of the source file, or "" */
	const char *tokenizer;  /* hash, or "" */
	const char *templ;      /* chat template with {system} {user}, or "" */
	u32 d_model, n_layers, n_vocab;
};

struct atlas_neighbour {
	u32 id;
	f32 score;
};

struct atlas {
	char *folder;           /* as opened */
	bool bare;              /* a dictionary alone, without atlas.json */
	const char *notes;      /* for note_open: the folder, or "" where labels.db has no place beside it */
	const char *name;       /* "demo" */
	char uuid[40], build_id[40];
	json_t *json;           /* atlas.json */
	struct atlas_model model;
	const char *hook;       /* "blocks.22.hook_resid_post" */
	u32 layer;
	const char *place;      /* "resid_post" */
	f32 norm_median;        /* of the hook's residual rows, 0 if not known */
	u32 n_features, d_model;
	struct dict *dict;      /* never NULL */
	struct store *store;    /* these may be NULL */
	struct vocab *vocab;
	struct labels *labels;
	struct safetensors *logits, *graph, *scores, *map_file, *judged_file;
	struct map *map;
	struct judged *judged;
	char *runs;             /* path of runs.jsonl */
	char **absent;          /* for atlas_missing */
};

/* "dictionary", "store", "vocab", "labels", "logits", "graph", "scores", "map", "runs", "evidence" */
enum { ATLAS_N_PARTS = 10 };
extern const char *const atlas_parts[ATLAS_N_PARTS];

/* Opens an atlas, or a dictionary made elsewhere (a folder or a file without atlas.json): that is an atlas in
 * memory with no other part, `bare`, whose uuid depends on where the weights are. */
struct atlas *atlas_open(const char *path, struct err *e);
/* Activations are as others published them: whether decoder norms are in them is not known. */
bool atlas_as_published(const struct atlas *a);
/* The same; a person can say something of a bare one only, of others it is ERR_USAGE. */
struct atlas *atlas_open_with(const char *path, const struct dict_options *o, struct err *e);
void atlas_free(struct atlas *a);
/* A sentence and the command that makes the part ("no neighbour graph; make it with
 * 'featlas neighbours X.atlas'"), or NULL if it is there.  part: one of atlas_parts. */
const char *atlas_missing(const struct atlas *a, const char *part);
/* Begins a command line for a shell: "featlas SUBCOMMAND FOLDER". */
void atlas_add_command(const struct atlas *a, const char *subcommand, struct buf *out);

/* Whether a name in atlas.json or cfg.json stays inside the folder it is relative to. */
bool atlas_is_inside(const char *file);
/* A file of an atlas belongs to it: its uuid is the atlas's, its build the one in entry, which is
 * its object in atlas.json's parts.  The error names what differs: ERR_UNAVAILABLE another build of this atlas,
 * ERR_DAMAGED all else. */
int atlas_check_file(const json_t *atlas_json, const json_t *entry, const struct safetensors *file, struct err *e);

/* These fill at most cap and return how many they filled.
 *
 * Promoted (sign > 0) or suppressed tokens of a feature, strongest first. */
struct atlas_token { u32 token; f32 value; };
size_t atlas_logits(const struct atlas *a, u32 feature, int sign, struct atlas_token *out, size_t cap);
/* Stored neighbours by decoder cosine, best first. */
size_t atlas_neighbours(const struct atlas *a, u32 feature, struct atlas_neighbour *out, size_t cap);
/* Scores; NaN where absent.  tuned: the output score at the factor that works on this model. */
struct atlas_scores { f32 input, output, topic, tuned; };
void atlas_scores(const struct atlas *a, u32 feature, struct atlas_scores *out);
size_t atlas_topic_words(const struct atlas *a, u32 feature, u32 *tokens, size_t cap);

/* Does what a screen reads of a feature lie in memory?  (pages.h)  Labels of the base, numbers (statistics,
 * scores), promoted and suppressed tokens, stored neighbours, its strongest contexts, all it has. */
enum atlas_parts_of { /* of a feature */
	ATLAS_LABELS = 1, ATLAS_NUMBERS = 2, ATLAS_LOGITS = 4, ATLAS_NEIGHBOURS = 8, ATLAS_BEST = 16,
	ATLAS_CONTEXTS = 32, ATLAS_DECODER = 64,
};
bool atlas_there(const struct atlas *a, u32 feature, unsigned parts, struct pages *w);

/* Checks everything, checksums included.  Calls say(context, sentence) for each fault. */
int atlas_verify(const char *folder, struct progress *p, void (*say)(void *, const char *), void *context,
		 u64 *n_faults, struct err *e);

/* Building.  Files of an atlas carry uuid and build_id (atlas_json_*) in their safetensors
 * metadata.  Write the files, note each part, commit; whoever adds to an atlas that is there
 * reads its json, starts a new build, writes, notes and commits.  j is owned by the caller. */
json_t *atlas_json_new(const char *name);
json_t *atlas_json_read(const char *folder, struct err *e); /* format and version checked */
void atlas_json_new_build(json_t *j);                       /* another build_id */
const char *atlas_json_uuid(const json_t *j);
const char *atlas_json_build_id(const json_t *j);
void atlas_drop_part(json_t *j, const char *part);
/* Records a part's file, hashed here, with the command that made it (may be NULL).  part: dictionary
 * (with cfg.json beside it), store (a segment: added, or put in place of its namesake), vocab,
 * labels, logits, graph, scores, map, runs, evidence. */
int atlas_note_part(json_t *j, const char *folder, const char *part, const char *file, const char *command,
		    json_t *details /* taken, or NULL */, struct err *e);
/* Names a dictionary that lies elsewhere (dict.h) as the atlas's own: by absolute path, with size, mtime, a hash of
 * the header and what o (or NULL) says; model and hook are taken from it where j has none. */
int atlas_json_link_dict(json_t *j, const char *path, const struct dict_options *o, const char *command, struct err *e);
/* Makes such an atlas: a folder out with atlas.json alone. */
int atlas_link(const char *path, const struct dict_options *o, const char *out, const char *name, struct err *e);
int atlas_commit(const json_t *j, const char *folder, struct err *e); /* writes atlas.json, last */

#endif
