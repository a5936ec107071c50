# the toolkit: cells, terminal, keys, lists, prompts
