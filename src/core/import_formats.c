/* SPDX-License-Identifier: MIT */
/* import_formats.c - the formats' tables: Neuronpedia's database classes, SAEDashboard's converter, OpenAI's
 * neuron explainer and SAE viewer, circuit-tracer's feature examples. */
#include "core/import_formats.h"

static const struct jstream_path np_activations[] = {
	{"", SLOT_CONTEXT},          {".index", SLOT_INDEX},        {".id", SLOT_ID},
	{".modelId", SLOT_MODEL},    {".layer", SLOT_SOURCE},       {".tokens[]", SLOT_TOKEN},
	{".values[]", SLOT_VALUE},   {".binMin", SLOT_BIN_MIN},     {".binContains", SLOT_BIN_CONTAINS},
};

static const struct jstream_path np_features[] = {
	{"", SLOT_FEATURE},
	{".index", SLOT_INDEX},
	{".modelId", SLOT_MODEL},
	{".layer", SLOT_SOURCE},
	{".hookName", SLOT_HOOK},
	{".maxActApprox", SLOT_MAX},
	{".frac_nonzero", SLOT_DENSITY},
	{".pos_str[]", SLOT_PROMOTED},
	{".pos_values[]", SLOT_PROMOTED_VALUE},
	{".neg_str[]", SLOT_SUPPRESSED},
	{".neg_values[]", SLOT_SUPPRESSED_VALUE},
	{".freq_hist_data_bar_values[]", SLOT_BIN_VALUE},
	{".freq_hist_data_bar_heights[]", SLOT_HEIGHT},
	{".topkCosSimIndices[]", SLOT_NEAR_ID},
	{".topkCosSimValues[]", SLOT_NEAR_SCORE},
	{".vector[]", SLOT_VECTOR},
};

static const struct jstream_path np_explanations[] = {
	{"", SLOT_LABEL},
	{".index", SLOT_INDEX},
	{".id", SLOT_ID},
	{".modelId", SLOT_MODEL},
	{".layer", SLOT_SOURCE},
	{".description", SLOT_TEXT},
	{".typeName", SLOT_TYPE},
	{".explanationModelName", SLOT_LABEL_MODEL},
	{".authorId", SLOT_AUTHOR},
};

static const struct jstream_path np_source[] = {
	{".modelId", SLOT_MODEL},
	{".id", SLOT_SOURCE},
	{".dataset", SLOT_DATASET},
};

static const struct jstream_path dashboard[] = {
	{".model_id", SLOT_MODEL},
	{".features[]", SLOT_FEATURE},
	{".features[].feature_index", SLOT_INDEX},
	{".features[].frac_nonzero", SLOT_DENSITY},
	{".features[].pos_str[]", SLOT_PROMOTED},
	{".features[].pos_values[]", SLOT_PROMOTED_VALUE},
	{".features[].neg_str[]", SLOT_SUPPRESSED},
	{".features[].neg_values[]", SLOT_SUPPRESSED_VALUE},
	{".features[].freq_hist_data_bar_values[]", SLOT_BIN_VALUE},
	{".features[].freq_hist_data_bar_heights[]", SLOT_HEIGHT},
	{".features[].n_prompts_total", SLOT_PROMPTS},
	{".features[].n_tokens_in_prompt", SLOT_PER_PROMPT},
	{".features[].dataset", SLOT_DATASET},
	{".features[].vector[]", SLOT_VECTOR},
	{".features[].activations[]", SLOT_CONTEXT},
	{".features[].activations[].tokens[]", SLOT_TOKEN},
	{".features[].activations[].values[]", SLOT_VALUE},
	{".features[].activations[].bin_min", SLOT_BIN_MIN},
	{".features[].activations[].bin_contains", SLOT_BIN_CONTAINS},
};

static const struct jstream_path skipped[] = {
	{".model_id", SLOT_MODEL},
	{".skipped_indexes[]", SLOT_SKIPPED},
};

static const struct jstream_path neuron[] = {
	{"", SLOT_FEATURE},
	{".neuron_id.neuron_index", SLOT_INDEX},
	{".neuron_id.layer_index", SLOT_SOURCE},
	{".most_positive_activation_records[]", SLOT_TOP},
	{".most_positive_activation_records[].tokens[]", SLOT_TOKEN},
	{".most_positive_activation_records[].activations[]", SLOT_VALUE},
	{".random_sample[]", SLOT_RANDOM},
	{".random_sample[].tokens[]", SLOT_TOKEN},
	{".random_sample[].activations[]", SLOT_VALUE},
	{".random_sample_by_quantile[]", SLOT_GROUP},
	{".random_sample_by_quantile[][]", SLOT_INTERVAL},
	{".random_sample_by_quantile[][].tokens[]", SLOT_TOKEN},
	{".random_sample_by_quantile[][].activations[]", SLOT_VALUE},
};

static const struct jstream_path neuron_labels[] = {
	{"", SLOT_OWNER},
	{".neuron_id.neuron_index", SLOT_INDEX},
	{".neuron_id.layer_index", SLOT_SOURCE},
	{".scored_explanations[]", SLOT_LABEL},
	{".scored_explanations[].explanation", SLOT_TEXT},
	{".scored_explanations[].scored_simulation.ev_correlation_score", SLOT_SCORE},
};

static const struct jstream_path viewer[] = {
	{"", SLOT_FEATURE},
	{".density", SLOT_DENSITY},
	{".mean_act", SLOT_MEAN},
	{".top[]", SLOT_TOP},
	{".top[].tokens[]", SLOT_TOKEN},
	{".top[].acts[]", SLOT_VALUE},
	{".random[]", SLOT_RANDOM},
	{".random[].tokens[]", SLOT_TOKEN},
	{".random[].acts[]", SLOT_VALUE},
};

static const struct jstream_path circuit[] = {
	{"", SLOT_FEATURE},
	{".index", SLOT_INDEX},
	{".transcoder_id", SLOT_SOURCE},
	{".act_max", SLOT_MAX},
	{".activation_frequency", SLOT_DENSITY},
	{".top_logits[]", SLOT_PROMOTED},
	{".bottom_logits[]", SLOT_SUPPRESSED},
	{".examples_quantiles[]", SLOT_GROUP},
	{".examples_quantiles[].examples[]", SLOT_QUANTILE},
	{".examples_quantiles[].examples[].tokens[]", SLOT_TOKEN},
	{".examples_quantiles[].examples[].tokens_acts_list[]", SLOT_VALUE},
};

#define TABLE(format, source, paths) [format] = {format, source, paths, ARRAY_LEN(paths)}
const struct import_table import_tables[IMPORT_N_FORMATS] = {
	TABLE(IMPORT_NP_ACTIVATIONS, "neuronpedia", np_activations),
	TABLE(IMPORT_NP_FEATURES, "neuronpedia", np_features),
	TABLE(IMPORT_NP_EXPLANATIONS, "neuronpedia", np_explanations),
	TABLE(IMPORT_NP_SOURCE, "neuronpedia", np_source),
	TABLE(IMPORT_DASHBOARD, "SAEDashboard", dashboard),
	TABLE(IMPORT_SKIPPED, "SAEDashboard", skipped),
	TABLE(IMPORT_NEURON, "neuron explainer", neuron),
	TABLE(IMPORT_NEURON_LABELS, "neuron explainer", neuron_labels),
	TABLE(IMPORT_VIEWER, "SAE viewer", viewer),
	TABLE(IMPORT_CIRCUIT, "circuit-tracer", circuit),
};
