# A cmocka program each: add it to check_PROGRAMS and TESTS with its sources and libraries.
if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_base
TESTS += tests/unit/test_base
tests_unit_test_base_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_shell
TESTS += tests/unit/test_shell
tests_unit_test_shell_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_graph tests/unit/test_layout
TESTS += tests/unit/test_graph tests/unit/test_layout
tests_unit_test_graph_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_layout_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_jstream
TESTS += tests/unit/test_jstream
tests_unit_test_jstream_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_safetensors
TESTS += tests/unit/test_safetensors
tests_unit_test_safetensors_LDADD = $(IO_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_evidence
TESTS += tests/unit/test_evidence
tests_unit_test_evidence_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_find
TESTS += tests/unit/test_find
tests_unit_test_find_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_coherence tests/unit/test_probe tests/unit/test_twin
TESTS += tests/unit/test_coherence tests/unit/test_probe tests/unit/test_twin
tests_unit_test_coherence_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_probe_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_twin_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_match
TESTS += tests/unit/test_match
tests_unit_test_match_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_tensors tests/unit/test_torch
TESTS += tests/unit/test_tensors tests/unit/test_torch
tests_unit_test_torch_LDADD = $(IO_LIBS) $(CMOCKA_LIBS)
tests_unit_test_tensors_SOURCES = tests/unit/test_tensors.c tests/sparse_npz.c tests/sparse_npz.h
tests_unit_test_tensors_LDADD = $(IO_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_store
TESTS += tests/unit/test_store
tests_unit_test_store_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_saelens
TESTS += tests/unit/test_saelens
tests_unit_test_saelens_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_atlas
TESTS += tests/unit/test_atlas
tests_unit_test_atlas_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_order
TESTS += tests/unit/test_order
tests_unit_test_order_SOURCES = tests/unit/test_order.c src/view/order.c
tests_unit_test_order_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_note
TESTS += tests/unit/test_note
tests_unit_test_note_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_dict
TESTS += tests/unit/test_dict
tests_unit_test_dict_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_cooc
TESTS += tests/unit/test_cooc
tests_unit_test_cooc_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_encoder
TESTS += tests/unit/test_encoder
tests_unit_test_encoder_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_kernel
TESTS += tests/unit/test_kernel
tests_unit_test_kernel_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_formats
TESTS += tests/unit/test_formats
tests_unit_test_formats_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_knn
TESTS += tests/unit/test_knn
tests_unit_test_knn_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_map
TESTS += tests/unit/test_map
tests_unit_test_map_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_map_grid
TESTS += tests/unit/test_map_grid
tests_unit_test_map_grid_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_train
TESTS += tests/unit/test_train
tests_unit_test_train_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_search
TESTS += tests/unit/test_search
tests_unit_test_search_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_search_same tests/unit/test_search_scan
TESTS += tests/unit/test_search_same tests/unit/test_search_scan
tests_unit_test_search_scan_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_search_same_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_query
TESTS += tests/unit/test_query
tests_unit_test_query_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_cell tests/unit/test_key tests/unit/test_list
TESTS += tests/unit/test_cell tests/unit/test_key tests/unit/test_list
tests_unit_test_cell_LDADD = $(UI_LIBS) $(CMOCKA_LIBS)
tests_unit_test_key_LDADD = $(UI_LIBS) $(CMOCKA_LIBS)
tests_unit_test_list_LDADD = $(UI_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_words
TESTS += tests/unit/test_words
tests_unit_test_words_LDADD = $(UI_LIBS) $(CMOCKA_LIBS)
check_PROGRAMS += tests/unit/test_rpc
TESTS += tests/unit/test_rpc
tests_unit_test_rpc_SOURCES = tests/unit/test_rpc.c src/module/fake_world.c src/module/fake_world.h
tests_unit_test_rpc_LDADD = $(BACKEND_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_engine
TESTS += tests/unit/test_engine
tests_unit_test_engine_LDADD = $(ENGINE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_acts
TESTS += tests/unit/test_acts
tests_unit_test_acts_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_index
TESTS += tests/unit/test_index
tests_unit_test_index_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_lexical
TESTS += tests/unit/test_lexical
tests_unit_test_lexical_LDADD = $(CORE_LIBS) $(CMOCKA_LIBS)

if HAVE_LLAMA
check_PROGRAMS += tests/unit/test_llama
TESTS += tests/unit/test_llama
tests_unit_test_llama_SOURCES = tests/unit/test_llama.c src/module/module_llama.c
tests_unit_test_llama_CPPFLAGS = $(AM_CPPFLAGS) $(LLAMA_CFLAGS)
tests_unit_test_llama_LDADD = $(ENGINE_LIBS) $(CMOCKA_LIBS) $(LLAMA_LIBS)
endif

check_PROGRAMS += tests/unit/test_effects
TESTS += tests/unit/test_effects
tests_unit_test_effects_SOURCES = tests/unit/test_effects.c src/module/fake_world.c src/module/fake_world.h
tests_unit_test_effects_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_steer
TESTS += tests/unit/test_steer
tests_unit_test_steer_SOURCES = tests/unit/test_steer.c src/module/fake_world.c src/module/fake_world.h
tests_unit_test_steer_LDADD = $(BACKEND_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test_sweep
TESTS += tests/unit/test_sweep
tests_unit_test_sweep_LDADD = $(SESSION_LIBS) $(CMOCKA_LIBS)
endif
EXTRA_DIST += tests/golden/llama_tokens.c tests/golden/llama_tokens.json
